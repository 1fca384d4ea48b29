# SPDX-License-Identifier: Apache-2.0
"""the index of the decision log: bitmaps and fingerprints in place of columns

What the tables hold is made from the log after the migration, in bounded slices (`controlplane.store.reindex`).
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for table in ("decision_reasons", "decision_policies", "decisions"):
        op.drop_table(table)
    op.create_table(
        "decisions",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("log_index", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("request_id", sa.Text(), nullable=False),
        sa.Column("admission_index", sa.BigInteger(), nullable=True),
        sa.Column("terminal_index", sa.BigInteger(), nullable=True),
        sa.Column("admission_at", sa.BigInteger(), nullable=True),
        sa.Column("terminal_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("tenant", "log_index", name=op.f("pk_decisions")),
        sa.UniqueConstraint("tenant", "request_id", name=op.f("uq_decisions_tenant_request_id")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "decision_postings",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("term", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("chunk", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("bits", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "term", "chunk", name=op.f("pk_decision_postings")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "decision_fingerprints",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("dimension", sa.Text(), nullable=False),
        sa.Column("level", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("part", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("entries", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint(
            "tenant", "dimension", "level", "part", "number", name=op.f("pk_decision_fingerprints")
        ),
    )
    op.create_table(
        "decision_zones",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("chunk", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("first_at", sa.BigInteger(), nullable=False),
        sa.Column("last_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "chunk", name=op.f("pk_decision_zones")),
    )
    op.create_table(
        "decision_index_heads",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("make", sa.BigInteger(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", name=op.f("pk_decision_index_heads")),
    )


def downgrade() -> None:
    raise NotImplementedError("restore the backup that was taken before the migration")
