# SPDX-License-Identifier: Apache-2.0
"""environment documents

The release before works beside the new table: it knows nothing of it. A document is made when it is first asked
for, since a migration has no key to sign with.
"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "environment_documents",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("environment", sa.Text(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("etag", sa.Text(), nullable=False),
        sa.Column("document", sa.LargeBinary(), nullable=False),
        sa.Column("candidate", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["tenant", "environment"],
            ["environments.tenant", "environments.id"],
            name=op.f("fk_environment_documents_tenant_environments"),
        ),
        sa.PrimaryKeyConstraint("tenant", "environment", name=op.f("pk_environment_documents")),
    )


def downgrade() -> None:
    raise NotImplementedError("restore the backup that was taken before the migration")
