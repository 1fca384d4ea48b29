# SPDX-License-Identifier: Apache-2.0
"""the log as a tree: entries by day, tiles, what is known of each source

Entries keep their indexes and their bytes (`controlplane.store.migrations.log_move`).
"""

import sqlalchemy as sa
from alembic import op

from controlplane.store.columns import day_of
from controlplane.store.migrations.log_move import Move
from controlplane.store.partitions import default_partitions, make_partitions

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_DAY = 86_400_000_000  # in microseconds
_MOST_DAYS = 400


def upgrade() -> None:
    op.execute("ALTER TABLE records RENAME TO records_before")
    op.execute("ALTER TABLE payloads RENAME TO payloads_before")
    op.execute("ALTER TABLE log_heads RENAME TO log_heads_before")
    for index in ("ix_records_tenant_record_id", "ix_records_tenant_request_id"):
        op.execute(f"DROP INDEX {index}")
    connection = op.get_bind()
    if connection.dialect.name == "postgresql":
        for table in ("records", "payloads", "log_heads"):
            op.execute(f"ALTER TABLE {table}_before RENAME CONSTRAINT pk_{table} TO pk_{table}_before")
    _create()
    if connection.dialect.name == "postgresql":
        for statement in default_partitions():
            op.execute(statement)
        _make_days(connection)
    for tenant, size in connection.execute(sa.text("SELECT tenant, size FROM log_heads_before")).all():
        Move(connection, tenant).run(size)
    for table in ("payloads_before", "records_before", "log_heads_before"):
        op.drop_table(table)


def downgrade() -> None:
    raise NotImplementedError("restore the backup that was taken before the migration")


def _create() -> None:
    op.create_table(
        "log_heads",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("root", sa.LargeBinary(), nullable=False),
        sa.Column("frontier", sa.LargeBinary(), nullable=False),
        sa.Column("day", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("tenant", name=op.f("pk_log_heads")),
    )
    op.create_table(
        "log_days",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("day", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("first_index", sa.BigInteger(), nullable=False),
        sa.Column("end_index", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "day", name=op.f("pk_log_days")),
    )
    op.create_table(
        "log_tiles",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("level", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("hashes", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "level", "number", name=op.f("pk_log_tiles")),
    )
    op.create_table(
        "records",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("log_index", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("day", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.Column("envelope", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "log_index", "day", name=op.f("pk_records")),
        postgresql_partition_by="RANGE (day)",
    )
    op.create_table(
        "payloads",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("log_index", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("day", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "log_index", "day", name=op.f("pk_payloads")),
        postgresql_partition_by="RANGE (day)",
    )
    op.create_table(
        "source_boots",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("ref", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("source_id", sa.Text(), nullable=False),
        sa.Column("boot_id", sa.Text(), nullable=False),
        sa.Column("environment", sa.Text(), nullable=True),
        sa.Column("last_seq", sa.BigInteger(), nullable=False),
        sa.Column("run_first_seq", sa.BigInteger(), nullable=False),
        sa.Column("run_last_seq", sa.BigInteger(), nullable=False),
        sa.Column("run_first_index", sa.BigInteger(), nullable=False),
        sa.Column("first_seen_at", sa.BigInteger(), nullable=False),
        sa.Column("last_seen_at", sa.BigInteger(), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=True),
        sa.Column("stopped_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("tenant", "ref", name=op.f("pk_source_boots")),
        sa.UniqueConstraint("tenant", "source_id", "boot_id", name=op.f("uq_source_boots_tenant_source_id_boot_id")),
    )
    op.create_table(
        "source_runs",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("boot_ref", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("first_seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("last_seq", sa.BigInteger(), nullable=False),
        sa.Column("first_index", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "boot_ref", "first_seq", name=op.f("pk_source_runs")),
    )
    op.create_table(
        "source_gaps",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("boot_ref", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("first_seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("last_seq", sa.BigInteger(), nullable=False),
        sa.Column("found_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "boot_ref", "first_seq", name=op.f("pk_source_gaps")),
    )
    op.create_table(
        "source_claims",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("source_id", sa.Text(), nullable=False),
        sa.Column("boot_id", sa.Text(), nullable=False),
        sa.Column("environment", sa.Text(), nullable=True),
        sa.Column("last_seq", sa.BigInteger(), nullable=False),
        sa.Column("claimed_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "source_id", "boot_id", name=op.f("pk_source_claims")),
    )


def _make_days(connection: sa.Connection) -> None:
    """Give each day that has entries its partition; the oldest share the default one where there are very many."""
    first, last = connection.execute(sa.text("SELECT min(received_at), max(received_at) FROM records_before")).one()
    if last is not None:
        begin = max(first // _DAY, last // _DAY - _MOST_DAYS)
        make_partitions(connection, day_of(begin), days=last // _DAY - begin + 1)
