# SPDX-License-Identifier: Apache-2.0
"""which bundle the error of a worker is of

The release before works on the new table: the column may be null, and it names those it writes.
"""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("agent_workers", sa.Column("failed_serial", sa.BigInteger(), nullable=True))


def downgrade() -> None:
    raise NotImplementedError("restore the backup that was taken before the migration")
