# SPDX-License-Identifier: Apache-2.0
"""The tables of the log: entries, tree, and what is known of each source's numbers.

Facts: an entry's `day` is the log's own and never goes back, so that a day is a range of indexes (`log_days`). On
PostgreSQL `records` and `payloads` are partitioned by it. Nothing here has an index over all entries but their place in
the log, which grows at its end; by what else they are found stands in `index_tables`.
"""

from typing import Final

from sqlalchemy import BigInteger, Column, LargeBinary, Table, UniqueConstraint

from controlplane.store.columns import METADATA, UtcDay, count, key, text, time

PARTITIONED: Final = ("records", "payloads")


def _log_index() -> Column[int]:
    return Column("log_index", BigInteger, primary_key=True, autoincrement=False)


# How far each tenant's log goes. The row's lock is what makes indexes dense and appends one at a time. `frontier` has
# the roots of the complete subtrees of the first `size` leaves (`controlplane.audit.frontier`).
log_heads = Table(
    "log_heads",
    METADATA,
    key("tenant"),
    count("size"),
    Column("root", LargeBinary, nullable=False),
    Column("frontier", LargeBinary, nullable=False),
    Column("day", UtcDay, nullable=True),
)

log_days = Table(
    "log_days",
    METADATA,
    key("tenant"),
    Column("day", UtcDay, primary_key=True, autoincrement=False),
    count("first_index"),
    count("end_index"),
)

# C2SP tiles: up to 256 hashes of 32 bytes, appended to until it is full.
log_tiles = Table(
    "log_tiles",
    METADATA,
    key("tenant"),
    Column("level", BigInteger, primary_key=True, autoincrement=False),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("hashes", LargeBinary, nullable=False),
)

records = Table(
    "records",
    METADATA,
    key("tenant"),
    _log_index(),
    Column("day", UtcDay, primary_key=True, autoincrement=False),
    text("kind"),
    time("received_at"),
    Column("envelope", LargeBinary, nullable=False),
    postgresql_partition_by="RANGE (day)",
)

# Apart from the records, because a payload may be erased while its envelope stays.
payloads = Table(
    "payloads",
    METADATA,
    key("tenant"),
    _log_index(),
    Column("day", UtcDay, primary_key=True, autoincrement=False),
    Column("content", LargeBinary, nullable=False),
    postgresql_partition_by="RANGE (day)",
)

# One process of a source. `last_seq` is the highest number known to have been given: stored, or missing in a gap.
# `run_*` is the run that was written last, which the next batch most often continues.
source_boots = Table(
    "source_boots",
    METADATA,
    key("tenant"),
    Column("ref", BigInteger, primary_key=True, autoincrement=False),
    text("source_id"),
    text("boot_id"),
    text("environment", nullable=True),
    count("last_seq"),
    count("run_first_seq"),
    count("run_last_seq"),
    count("run_first_index"),
    time("first_seen_at"),
    time("last_seen_at"),
    time("started_at", nullable=True),
    time("stopped_at", nullable=True),
    UniqueConstraint("tenant", "source_id", "boot_id"),
)

# Consecutive numbers at consecutive indexes, so that a stored record is found by arithmetic.
source_runs = Table(
    "source_runs",
    METADATA,
    key("tenant"),
    Column("boot_ref", BigInteger, primary_key=True, autoincrement=False),
    Column("first_seq", BigInteger, primary_key=True, autoincrement=False),
    count("last_seq"),
    count("first_index"),
)

# Numbers that are missing now. The log keeps what was ever found missing.
source_gaps = Table(
    "source_gaps",
    METADATA,
    key("tenant"),
    Column("boot_ref", BigInteger, primary_key=True, autoincrement=False),
    Column("first_seq", BigInteger, primary_key=True, autoincrement=False),
    count("last_seq"),
    time("found_at"),
)

# What nodes say they numbered beyond what is stored, since when. Not in `source_boots`, which only appends write.
source_claims = Table(
    "source_claims",
    METADATA,
    key("tenant"),
    key("source_id"),
    key("boot_id"),
    text("environment", nullable=True),
    count("last_seq"),
    time("claimed_at"),
)

quarantine = Table(
    "quarantine",
    METADATA,
    key("tenant"),
    key("digest"),
    text("reason"),
    Column("line", LargeBinary, nullable=False),
    time("received_at"),
)
