# SPDX-License-Identifier: Apache-2.0
"""manifests of releases

Nullable, because the release before makes releases without them.
"""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for name in ("untested", "untested_reason", "promoted_from", "manifest"):
        op.add_column("releases", sa.Column(name, sa.Text(), nullable=True))


def downgrade() -> None:
    raise NotImplementedError("restore the backup that was taken before the migration")
