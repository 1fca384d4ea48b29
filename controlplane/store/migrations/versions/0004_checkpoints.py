# SPDX-License-Identifier: Apache-2.0
"""checkpoints and who signs them; the place of each administrative event in the log

The release before works on the new tables: the column may be null, and it names those it writes.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("admin_events", sa.Column("log_index", sa.BigInteger(), nullable=True))
    without = sa.text("log_index IS NULL")
    op.create_index("ix_admin_events_outbox", "admin_events", ["seq"], sqlite_where=without, postgresql_where=without)
    op.create_table(
        "checkpoints",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("root", sa.LargeBinary(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("cosignatures", sa.Text(), nullable=False),
        sa.Column("first_signed_at", sa.BigInteger(), nullable=False),
        sa.Column("signed_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "size", name=op.f("pk_checkpoints")),
    )
    op.create_table(
        "sequencer_terms",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("fence", sa.BigInteger(), nullable=False),
        sa.Column("holder", sa.Text(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sequencer_terms")),
    )
    op.execute("INSERT INTO sequencer_terms (id, fence, holder, expires_at) VALUES (1, 0, '', 0)")


def downgrade() -> None:
    raise NotImplementedError("restore the backup that was taken before the migration")
