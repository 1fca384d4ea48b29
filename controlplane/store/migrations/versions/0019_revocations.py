# SPDX-License-Identifier: Apache-2.0
"""revocations

The release before works beside the new tables: it revokes by the credentials document alone, which nodes look at too.
"""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "revocations",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("environment", sa.Text(), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("etag", sa.Text(), nullable=False),
        sa.Column("document", sa.LargeBinary(), nullable=False),
        sa.Column("credentials_due", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant", "environment"],
            ["environments.tenant", "environments.id"],
            name=op.f("fk_revocations_environments"),
        ),
        sa.PrimaryKeyConstraint("tenant", "environment", name=op.f("pk_revocations")),
    )
    op.create_table(
        "revoked_tokens",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("environment", sa.Text(), nullable=False),
        sa.Column("issuer", sa.Text(), nullable=True),
        sa.Column("jti", sa.Text(), nullable=True),
        sa.Column("sha256", sa.Text(), nullable=True),
        sa.Column("subject", sa.Text(), nullable=True),
        sa.Column("issued_before", sa.BigInteger(), nullable=True),
        sa.Column("expires_at", sa.BigInteger(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("revoked_by", sa.Text(), nullable=False),
        sa.Column("revoked_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "id", name=op.f("pk_revoked_tokens")),
    )
    op.create_index(op.f("ix_revoked_tokens_tenant_environment_id"), "revoked_tokens", ["tenant", "environment", "id"])
    is_revoked = sa.text("revoked_at IS NOT NULL")
    op.create_index(
        "ix_api_keys_revoked",
        "api_keys",
        ["tenant", "environment", "id"],
        sqlite_where=is_revoked,
        postgresql_where=is_revoked,
    )
    op.add_column("agent_workers", sa.Column("revocations_epoch", sa.BigInteger(), nullable=True))


def downgrade() -> None:
    raise NotImplementedError("restore the backup that was taken before the migration")
