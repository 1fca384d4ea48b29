# SPDX-License-Identifier: Apache-2.0
"""The tables that decisions are found by. All of them can be made again from the log.

On SQLite their primary key is the table itself: one tree to write to, not two.
"""

from sqlalchemy import BigInteger, Column, LargeBinary, Table, UniqueConstraint

from controlplane.store.columns import METADATA, count, key, text, time


def _number(name: str) -> Column[int]:
    return Column(name, BigInteger, primary_key=True, autoincrement=False)


# One row for each request. `log_index` is that of its first record and never changes; the times are those of its
# records, which the time of a question is compared with before any envelope is read.
decisions = Table(
    "decisions",
    METADATA,
    key("tenant"),
    _number("log_index"),
    text("request_id"),
    count("admission_index", nullable=True),
    count("terminal_index", nullable=True),
    time("admission_at", nullable=True),
    time("terminal_at", nullable=True),
    UniqueConstraint("tenant", "request_id"),
    sqlite_with_rowid=False,
)

# Which decisions of a chunk of the log have a value: `bits` as in `controlplane.store.bitmaps`, counted from the
# chunk's first index. `term` is a hash of dimension and value; what is found is compared with its record, so that two
# values of one hash cost time and no wrong answer.
decision_postings = Table(
    "decision_postings",
    METADATA,
    key("tenant"),
    _number("term"),
    _number("chunk"),
    Column("bits", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)

# Values that nearly every record has one of its own of: short hashes beside indexes, as in
# `controlplane.store.fingerprints`.
decision_fingerprints = Table(
    "decision_fingerprints",
    METADATA,
    key("tenant"),
    key("dimension"),
    _number("level"),
    _number("part"),
    _number("number"),
    Column("entries", LargeBinary, nullable=False),
)

# The times of a chunk's decisions, the earliest and the latest.
decision_zones = Table(
    "decision_zones",
    METADATA,
    key("tenant"),
    _number("chunk"),
    time("first_at"),
    time("last_at"),
)

# How much of the log is in the index, and of which make it is.
decision_index_heads = Table("decision_index_heads", METADATA, key("tenant"), count("make"), count("size"))

# What aggregates are answered from: one row for each value of a dimension and hour, for some also for each minute.
decision_rollups = Table(
    "decision_rollups",
    METADATA,
    key("tenant"),
    _number("width_s"),
    key("dimension"),
    _number("bucket"),
    key("value"),
    count("requests"),
    count("denied"),
    count("failed"),
    count("redacted"),
    count("blocked"),
    count("cut"),
    Column("latencies", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)
