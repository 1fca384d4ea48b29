# SPDX-License-Identifier: Apache-2.0
"""what nodes report of environment documents and candidates

The release before works on the new tables: the columns may be null, and it names those it writes.
"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("agents", sa.Column("environment_number", sa.BigInteger(), nullable=True))
    op.add_column("agent_workers", sa.Column("candidate_serial", sa.BigInteger(), nullable=True))
    op.add_column("agent_workers", sa.Column("candidate_error", sa.Text(), nullable=True))


def downgrade() -> None:
    raise NotImplementedError("restore the backup that was taken before the migration")
