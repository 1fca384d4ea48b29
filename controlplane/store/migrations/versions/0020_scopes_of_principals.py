# SPDX-License-Identifier: Apache-2.0
"""in which environments a principal's role counts, and whose principal it is

The release before works on the new table: both columns may be null, which is everywhere and nobody's. It does not know
of scopes: every server is upgraded before one is set.
"""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("principals", sa.Column("environments", sa.Text(), nullable=True))
    op.add_column("principals", sa.Column("person", sa.Text(), nullable=True))


def downgrade() -> None:
    raise NotImplementedError("restore the backup that was taken before the migration")
