# SPDX-License-Identifier: Apache-2.0
"""rollouts: what is asked of activations, and their history

Every activation there is becomes a rollout as it stands. The release before works beside the new tables: what
it puts to work meanwhile is taken over by a newer server, which looks for it each minute.
"""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

# No deadline: what was put to work before is not rolled back because a server was upgraded.
_TAKEN_OVER = """
INSERT INTO rollouts (tenant, id, environment, release, revision, "by", created_at, asked, state, is_open, serial,
                      previous, began_at, in_force_at)
SELECT a.tenant, a.id, a.environment, a.release, a.revision, a."by", a.created_at, '{"mode": "enforce"}',
       CASE WHEN a.serial < e.serial THEN 'superseded' WHEN a.active_at IS NULL THEN 'pending' ELSE 'active' END,
       CASE WHEN a.serial = e.serial AND a.active_at IS NULL THEN 1 ELSE 0 END,
       a.serial, CASE WHEN a.serial > 1 THEN a.serial - 1 ELSE NULL END, a.created_at, a.created_at
FROM activations AS a JOIN environments AS e ON e.tenant = a.tenant AND e.id = a.environment
"""
_ITS_HISTORY = """
INSERT INTO rollout_transitions (tenant, rollout, number, at, state, "by", why)
SELECT tenant, id, 0, created_at, state, "by", 'put to work by a release that kept no history' FROM rollouts
"""


def upgrade() -> None:
    op.create_table(
        "rollouts",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("environment", sa.Text(), nullable=False),
        sa.Column("release", sa.Text(), nullable=False),
        sa.Column("revision", sa.Text(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("asked", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("is_open", sa.BigInteger(), nullable=False),
        sa.Column("serial", sa.BigInteger(), nullable=True),
        sa.Column("previous", sa.BigInteger(), nullable=True),
        sa.Column("began_at", sa.BigInteger(), nullable=True),
        sa.Column("in_force_at", sa.BigInteger(), nullable=True),
        sa.Column("acknowledge_by", sa.BigInteger(), nullable=True),
        sa.Column("glass_until", sa.BigInteger(), nullable=True),
        sa.Column("review", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["tenant", "release"],
            ["releases.tenant", "releases.id"],
            name=op.f("fk_rollouts_tenant_releases"),
        ),
        sa.PrimaryKeyConstraint("tenant", "id", name=op.f("pk_rollouts")),
    )
    op.create_index(op.f("ix_rollouts_is_open"), "rollouts", ["is_open"])
    op.create_index(op.f("ix_rollouts_tenant_environment_serial"), "rollouts", ["tenant", "environment", "serial"])
    op.create_table(
        "rollout_transitions",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("rollout", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "rollout", "number", name=op.f("pk_rollout_transitions")),
    )
    op.execute(_TAKEN_OVER)
    op.execute(_ITS_HISTORY)


def downgrade() -> None:
    raise NotImplementedError("restore the backup that was taken before the migration")
