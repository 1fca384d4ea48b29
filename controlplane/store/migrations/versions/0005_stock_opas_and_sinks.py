# SPDX-License-Identifier: Apache-2.0
"""decisions and status of stock OPAs, positions of sinks

The release before works on the new tables: it knows nothing of them.
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "opa_decisions",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("instance", sa.Text(), nullable=False),
        sa.Column("decision_id", sa.Text(), nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "instance", "decision_id", name=op.f("pk_opa_decisions")),
    )
    op.create_index(op.f("ix_opa_decisions_received_at"), "opa_decisions", ["received_at"])
    op.create_table(
        "opa_instances",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("environment", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("bundles", sa.Text(), nullable=False),
        sa.Column("dropped", sa.BigInteger(), nullable=False),
        sa.Column("reported_by", sa.Text(), nullable=False),
        sa.Column("reported_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "environment", "id", name=op.f("pk_opa_instances")),
    )
    op.create_table(
        "sink_positions",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("sink", sa.Text(), nullable=False),
        sa.Column("next_index", sa.BigInteger(), nullable=False),
        sa.Column("lost", sa.BigInteger(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("held_until", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "sink", name=op.f("pk_sink_positions")),
    )


def downgrade() -> None:
    raise NotImplementedError("restore the backup that was taken before the migration")
