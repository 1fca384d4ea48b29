# SPDX-License-Identifier: Apache-2.0
"""The tiles of the tree as rows: hashes put behind those a tile has, and read back."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Final

from sqlalchemy import Connection, select

from controlplane.audit.hashes import HASH_BYTES
from controlplane.audit.tiles import TILE_WIDTH, TileUpdate
from controlplane.store.log_tables import log_tiles

_PUT: Final = {
    # SQLite makes a text of what it joins, with the same bytes.
    "sqlite": (
        "INSERT INTO log_tiles (tenant, level, number, hashes) VALUES (?, ?, ?, ?) ON CONFLICT (tenant, level, number) "
        "DO UPDATE SET hashes = CAST(log_tiles.hashes || excluded.hashes AS BLOB)"
    ),
    "postgresql": (
        "INSERT INTO log_tiles (tenant, level, number, hashes) VALUES (%s, %s, %s, %s) ON CONFLICT (tenant, level, "
        "number) DO UPDATE SET hashes = log_tiles.hashes || excluded.hashes"
    ),
}


def put_tiles(connection: Connection, tenant: str, updates: Sequence[TileUpdate]) -> None:
    """Put the hashes of each update behind those its tile has."""
    if updates:
        connection.exec_driver_sql(
            _PUT[connection.dialect.name],
            [(tenant, update.level, update.number, update.hashes) for update in updates],
        )


def read_tile(connection: Connection, tenant: str, level: int, number: int) -> bytes | None:
    query = select(log_tiles.c.hashes).where(
        log_tiles.c.tenant == tenant,
        log_tiles.c.level == level,
        log_tiles.c.number == number,
    )
    found = connection.execute(query).scalar_one_or_none()
    return None if found is None else bytes(found)


def leaf_hashes(connection: Connection, tenant: str, indexes: Iterable[int]) -> dict[int, bytes]:
    """Return the leaf hash at each of `indexes` that the tree has."""
    by_tile: defaultdict[int, list[int]] = defaultdict(list)
    for index in indexes:
        by_tile[index // TILE_WIDTH].append(index)
    found: dict[int, bytes] = {}
    numbers = list(by_tile)
    for at in range(0, len(numbers), TILE_WIDTH):
        query = select(log_tiles.c.number, log_tiles.c.hashes).where(
            log_tiles.c.tenant == tenant,
            log_tiles.c.level == 0,
            log_tiles.c.number.in_(numbers[at : at + TILE_WIDTH]),
        )
        for number, hashes in connection.execute(query):
            for index in by_tile[number]:
                begin = index % TILE_WIDTH * HASH_BYTES
                if leaf := bytes(hashes[begin : begin + HASH_BYTES]):
                    found[index] = leaf
    return found
