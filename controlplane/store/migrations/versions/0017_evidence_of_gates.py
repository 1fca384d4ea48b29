# SPDX-License-Identifier: Apache-2.0
"""evidence of gates

The release before does not know the table, and leaves it alone.
"""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "release_evidence",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("release", sa.Text(), nullable=False),
        sa.Column("environment", sa.Text(), nullable=False),
        sa.Column("gate", sa.Text(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("given_at", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("decision_count", sa.BigInteger(), nullable=False),
        sa.Column("summary", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "id", name=op.f("pk_release_evidence")),
        sa.ForeignKeyConstraint(
            ["tenant", "release"], ["releases.tenant", "releases.id"], name=op.f("fk_release_evidence_releases")
        ),
    )
    op.create_index(op.f("ix_release_evidence_tenant_release_id"), "release_evidence", ["tenant", "release", "id"])


def downgrade() -> None:
    raise NotImplementedError("restore the backup that was taken before the migration")
