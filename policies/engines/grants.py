# SPDX-License-Identifier: Apache-2.0
"""The rows of access policies, found by what they name: subject, resource and action.

Theory: every name in a row is exact or stands for all, so that the rows that can match a question stand under a few
keys of an index. The index is in memory, or in a file that one process wrote and many read: 100,000 grants in every
worker would take 100 MiB each, and a second of Python beside its requests whenever policy changes.
"""

import json
import sqlite3
import weakref
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final, NamedTuple, Protocol, TypeAlias

from policies.contracts.decision import Effect
from policies.contracts.snapshot import AccessPolicy, Grant

Key: TypeAlias = tuple[str, str, str]
"""Subject, resource and action, as a row names them."""

Row: TypeAlias = tuple[str, str, str, str, str]
"""What Casbin is given: subject, resource, action, effect, and the grant's id."""


class FoundRow(NamedTuple):
    """A row of the policy number `policy` (in the order of ids), the `place`-th of it."""

    policy: int
    place: int
    row: Row


class Grants(Protocol):
    """`resources` and `actions` are those that any row names. Immutable.

    `ends` says of grants with an end, by policy and id, from when on there is no such grant.
    """

    @property
    def resources(self) -> frozenset[str]: ...

    @property
    def actions(self) -> frozenset[str]: ...

    @property
    def ends(self) -> Mapping[tuple[int, str], datetime]: ...

    def find(self, keys: Iterable[Key]) -> Sequence[FoundRow]:
        """Return the rows under `keys`, by policy and in its order."""


class GrantsInMemory:
    """The rows of `policies`, which are in the order of their ids."""

    def __init__(self, policies: Sequence[AccessPolicy]) -> None:
        self._found: dict[Key, list[FoundRow]] = {}
        for key, found in _placed(policies):
            self._found.setdefault(key, []).append(found)
        self.resources = frozenset(resource for _, resource, _ in self._found)
        self.actions = frozenset(action for _, _, action in self._found)
        self.ends = dict(_ends(policies))

    def find(self, keys: Iterable[Key]) -> Sequence[FoundRow]:
        return sorted(found for key in keys for found in self._found.get(key, ()))


# No row is changed once it is written: readers need no lock, and the file is mapped rather than read.
_READ: Final = "?mode=ro&immutable=1"
_MAPPED_BYTES: Final = 1024 * 1024 * 1024
_SCHEMA: Final = """
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
CREATE TABLE found (
    subject TEXT NOT NULL, resource TEXT NOT NULL, action TEXT NOT NULL, rows TEXT NOT NULL,
    PRIMARY KEY (subject, resource, action)
) WITHOUT ROWID;
CREATE TABLE ends (policy INTEGER NOT NULL, rule TEXT NOT NULL, ends TEXT NOT NULL);
CREATE TABLE resources (name TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE actions (name TEXT PRIMARY KEY) WITHOUT ROWID;
"""


class GrantsInFile:
    """The rows that `write_grants` put into `path`. For use by the thread that made it, or one thread at a time.

    Raises sqlite3.Error for a file that is none.
    """

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(f"{path.absolute().as_uri()}{_READ}", uri=True, check_same_thread=False)
        # A policy is given up when its last request has ended, by nobody in particular.
        weakref.finalize(self, self._connection.close)
        self._connection.execute(f"PRAGMA mmap_size = {_MAPPED_BYTES}")
        self.resources = self._names("SELECT name FROM resources")
        self.actions = self._names("SELECT name FROM actions")
        self.ends = {
            (policy, rule): datetime.fromisoformat(ends)
            for policy, rule, ends in self._connection.execute("SELECT policy, rule, ends FROM ends")
        }

    def find(self, keys: Iterable[Key]) -> Sequence[FoundRow]:
        return sorted(found for key in keys for found in self._under(key))

    def _under(self, key: Key) -> Iterator[FoundRow]:
        query = "SELECT rows FROM found WHERE subject = ? AND resource = ? AND action = ?"
        for (rows,) in self._connection.execute(query, key):
            for policy, place, effect, rule in json.loads(rows):
                yield FoundRow(policy, place, (*key, effect, rule))

    def _names(self, query: str) -> frozenset[str]:
        return frozenset(name for (name,) in self._connection.execute(query))


def write_grants(path: Path, policies: Sequence[AccessPolicy]) -> None:
    """Write the rows of `policies`, which are in the order of their ids, into the new file `path`."""
    rows: dict[Key, list[tuple[int, int, str, str]]] = {}
    for key, (policy, place, row) in _placed(policies):
        rows.setdefault(key, []).append((policy, place, *row[3:]))
    connection = sqlite3.connect(path)
    try:
        connection.executescript(_SCHEMA)
        with connection:
            given = ((*key, json.dumps(rows[key], separators=(",", ":"))) for key in sorted(rows))
            connection.executemany("INSERT INTO found VALUES (?, ?, ?, ?)", given)
            ends = ((policy, rule, at.isoformat()) for (policy, rule), at in _ends(policies))
            connection.executemany("INSERT INTO ends VALUES (?, ?, ?)", ends)
            connection.executemany(
                "INSERT INTO resources VALUES (?)", [(name,) for name in sorted({r for _, r, _ in rows})]
            )
            connection.executemany(
                "INSERT INTO actions VALUES (?)", [(name,) for name in sorted({a for _, _, a in rows})]
            )
    finally:
        connection.close()


def rows_of(grants: Iterable[Grant]) -> Iterator[Row]:
    """Give Casbin's rows of `grants`."""
    for grant in grants:
        effect = Effect(grant.effect).value
        for operation in grant.operations:
            resources = [f"model:{model}" for model in grant.models] or [f"route:{operation}"]
            for resource in resources:
                for subject in grant.subjects:
                    yield subject, resource, operation, effect, grant.id


def _placed(policies: Iterable[AccessPolicy]) -> Iterator[tuple[Key, FoundRow]]:
    """Give every row with its key, once in each policy."""
    for number, policy in enumerate(policies):
        for place, row in enumerate(dict.fromkeys(rows_of(policy.grants))):
            yield row[:3], FoundRow(number, place, row)


def _ends(policies: Iterable[AccessPolicy]) -> Iterator[tuple[tuple[int, str], datetime]]:
    for number, policy in enumerate(policies):
        for grant in policy.grants:
            if (end := grant.ends_at) is not None:
                yield (number, grant.id), end
