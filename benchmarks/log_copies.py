# SPDX-License-Identifier: Apache-2.0
"""Make a log of ten million entries out of one of a million, in minutes: its rows are copied, its tree is grown.

Facts: a part of 2^20 entries is whole chunks, whole groups of fingerprints and whole tiles up to level 1, so that all
its rows can stand again further on. Envelopes are the same bytes in every copy; request ids in the index, days, times
of questions and roll-ups are those of the copy. Payloads are not copied: one opens under the key
of its day at its index only.
"""

from datetime import timedelta
from typing import Final

from sqlalchemy import Connection, Engine, text

from controlplane.audit.hashes import node_hash
from controlplane.store.index_geometry import GEOMETRY

PART: Final = 1 << 20
_TILE: Final = 256
_DAY_US: Final = 86_400_000_000
_DAY_S: Final = 86_400
_ROWS: Final = (
    (
        "INSERT INTO records (tenant, log_index, day, kind, received_at, envelope) "
        "SELECT tenant, log_index + :shift, day + :days, kind, received_at + :us, envelope "
        "FROM records WHERE log_index < :part"
    ),
    (
        "INSERT INTO decisions (tenant, log_index, request_id, admission_index, terminal_index, admission_at, "
        "terminal_at) "
        "SELECT tenant, log_index + :shift, substr(request_id, 1, 4) || CAST(:copy AS TEXT) || substr(request_id, 5), "
        "admission_index + :shift, terminal_index + :shift, admission_at + :us, terminal_at + :us "
        "FROM decisions WHERE log_index < :part"
    ),
    (
        "INSERT INTO decision_postings (tenant, term, chunk, bits) "
        "SELECT tenant, term, chunk + :chunks, bits FROM decision_postings WHERE chunk < :part_chunks"
    ),
    (
        "INSERT INTO decision_zones (tenant, chunk, first_at, last_at) "
        "SELECT tenant, chunk + :chunks, first_at + :us, last_at + :us FROM decision_zones WHERE chunk < :part_chunks"
    ),
    (
        "INSERT INTO decision_fingerprints (tenant, dimension, level, part, number, entries) "
        "SELECT tenant, dimension, level, part, number + :groups, entries FROM decision_fingerprints "
        "WHERE level = 1 AND number < :part_groups"
    ),
    (
        "INSERT INTO decision_rollups (tenant, width_s, dimension, bucket, value, requests, denied, failed, redacted, "
        "blocked, cut, latencies) "
        "SELECT tenant, width_s, dimension, bucket + :seconds, value, requests, denied, failed, "
        "redacted, blocked, cut, latencies FROM decision_rollups WHERE bucket < :first_end"
    ),
    (
        "INSERT INTO log_days (tenant, day, first_index, end_index) SELECT tenant, day + :days, first_index + :shift, "
        "end_index + :shift FROM log_days WHERE first_index < :part"
    ),
    (
        "INSERT INTO log_tiles (tenant, level, number, hashes) SELECT tenant, level, number + :tiles, hashes "
        "FROM log_tiles WHERE level = 0 AND number < :part_tiles"
    ),
    (
        "INSERT INTO log_tiles (tenant, level, number, hashes) SELECT tenant, level, number + :tiles_1, hashes "
        "FROM log_tiles WHERE level = 1 AND number < :part_tiles_1"
    ),
)


def copy_part(engine: Engine, *, copies: int, days: int, first_end_s: int) -> None:
    """Put `copies` further on behind the first PART entries, which are all there are and of `days` days.

    `first_end_s` is the second at which they end.
    """
    for copy in range(1, copies + 1):
        values = {
            "copy": copy,
            "part": PART,
            "shift": copy * PART,
            "days": copy * days,
            "us": copy * days * _DAY_US,
            "seconds": copy * days * _DAY_S,
            "first_end": first_end_s,
            "part_chunks": PART // GEOMETRY.chunk,
            "chunks": copy * PART // GEOMETRY.chunk,
            "part_groups": PART // GEOMETRY.group,
            "groups": copy * PART // GEOMETRY.group,
            "part_tiles": PART // _TILE,
            "tiles": copy * PART // _TILE,
            "part_tiles_1": PART // _TILE // _TILE,
            "tiles_1": copy * PART // _TILE // _TILE,
        }
        with engine.begin() as connection:
            if engine.dialect.name == "postgresql":
                connection.execute(text("SET LOCAL statement_timeout = 0"))
            for statement in _ROWS:
                named = {name: value for name, value in values.items() if f":{name}" in statement}
                connection.execute(text(statement), named)
    with engine.begin() as connection:
        _grow(connection, parts=copies + 1, last_day=timedelta(days=days) * copies)


def _grow(connection: Connection, *, parts: int, last_day: timedelta) -> None:
    """Make the top of the tree, whose leaves are `parts` times the same PART leaves."""
    (below,) = connection.execute(text("SELECT hashes FROM log_tiles WHERE level = 2 AND number = 0")).one()
    connection.execute(
        text("UPDATE log_tiles SET hashes = :hashes WHERE level = 2 AND number = 0"), {"hashes": bytes(below) * parts}
    )
    hashes = [bytes(below)[at : at + 32] for at in range(0, len(bytes(below)), 32)]
    while len(hashes) > 1:
        hashes = [node_hash(left, right) for left, right in zip(hashes[::2], hashes[1::2], strict=True)]
    roots, subtree, left = [], hashes[0], parts
    while left:
        if left & 1:
            roots.insert(0, subtree)
        subtree, left = node_hash(subtree, subtree), left >> 1
    root = roots[-1]
    for one in reversed(roots[:-1]):
        root = node_hash(one, root)
    connection.execute(
        text("UPDATE log_heads SET size = :size, root = :root, frontier = :frontier, day = day + :days"),
        {"size": parts * PART, "root": root, "frontier": b"".join(roots), "days": last_day.days},
    )
    connection.execute(text("UPDATE decision_index_heads SET size = :size"), {"size": parts * PART})
