# SPDX-License-Identifier: Apache-2.0
"""keys of payloads

Payloads that are there stay in plain: the store tells them from sealed ones by their first byte.
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "payload_keys",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("day", sa.Text(), nullable=False),
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("wrapped", sa.LargeBinary(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("destroyed_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("tenant", "day", "number", name=op.f("pk_payload_keys")),
    )


def downgrade() -> None:
    raise NotImplementedError("restore the backup that was taken before the migration")
