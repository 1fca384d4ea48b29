# SPDX-License-Identifier: Apache-2.0
"""approvals of releases

The release before does not know the table: who activates there approves by it, as before.
"""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "approvals",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("release", sa.Text(), nullable=False),
        sa.Column("revision", sa.Text(), nullable=False),
        sa.Column("environment", sa.Text(), nullable=False),
        sa.Column("verdict", sa.Text(), nullable=False),
        sa.Column("comment", sa.Text(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("given_at", sa.BigInteger(), nullable=False),
        sa.Column("by_activation", sa.BigInteger(), nullable=False),
        sa.Column("withdrawn_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("tenant", "id", name=op.f("pk_approvals")),
        sa.ForeignKeyConstraint(
            ["tenant", "release"], ["releases.tenant", "releases.id"], name=op.f("fk_approvals_releases")
        ),
    )
    op.create_index(op.f("ix_approvals_tenant_release_id"), "approvals", ["tenant", "release", "id"])


def downgrade() -> None:
    raise NotImplementedError("restore the backup that was taken before the migration")
