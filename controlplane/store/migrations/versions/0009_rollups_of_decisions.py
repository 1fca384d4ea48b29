# SPDX-License-Identifier: Apache-2.0
"""roll-ups of decisions

They are made from the log after the migration, with the rest of the index (`controlplane.store.reindex`).
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_COUNTS = ("requests", "denied", "failed", "redacted", "blocked", "cut")


def upgrade() -> None:
    op.create_table(
        "decision_rollups",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("width_s", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("dimension", sa.Text(), nullable=False),
        sa.Column("bucket", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in _COUNTS),
        sa.Column("latencies", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "width_s", "dimension", "bucket", "value", name=op.f("pk_decision_rollups")),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    raise NotImplementedError("restore the backup that was taken before the migration")
