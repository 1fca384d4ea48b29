# SPDX-License-Identifier: Apache-2.0
"""scopes and successors of API keys, blocked subjects

The release before works on the new tables: the columns may be null, and it names those it writes.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("api_keys", sa.Column("scope", sa.Text(), nullable=True))
    op.add_column("api_keys", sa.Column("replaced_by", sa.Text(), nullable=True))
    op.create_table(
        "blocked_subjects",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("environment", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("blocked_by", sa.Text(), nullable=False),
        sa.Column("blocked_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "environment", "subject", name=op.f("pk_blocked_subjects")),
    )


def downgrade() -> None:
    raise NotImplementedError("restore the backup that was taken before the migration")
