# SPDX-License-Identifier: Apache-2.0
"""What Alembic runs: migrations on the connection that `controlplane.store.migrate` hands over, nothing else."""

from alembic import context

from controlplane.store.columns import METADATA

context.configure(connection=context.config.attributes["connection"], target_metadata=METADATA, render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()
