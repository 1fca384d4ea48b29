# SPDX-License-Identifier: Apache-2.0
"""Whom a soak kills: processes that this run started, by what they are, and nobody else.

A process id alone is not enough: one that was read from a file may belong to somebody else by now, and -1 is everybody.
So each victim is a descendant of the `gatehouse run` of this soak, or of its database, at the moment it is chosen, and is
killed through a handle that knows when it was started.
"""

import random
from collections.abc import Iterator
from contextlib import suppress

import psutil

from tests.soak.durable_postgres import DurablePostgres

DATABASE = "database"
DATABASE_BACKEND = "database backend"

# The first that is in a command line names its process.
_NAMES = (
    ("proxy_addons.worker_main", "worker"),
    ("proxy_addons.opa_pool", "OPA pool"),
    ("opa run --server", "OPA"),
    ("-m proxy_addons", "node"),
    ("-m controlplane", "control plane"),
)

# How often each is chosen: what takes seconds to come back less often, or nothing would ever run.
_WEIGHTS = {"worker": 6, "OPA": 3, "OPA pool": 1, "node": 2, "control plane": 2, DATABASE: 1, DATABASE_BACKEND: 3}


class Victims:
    """Those that may be killed: what runs under `pid`, and `postgres` with its backends."""

    def __init__(self, pid: int, postgres: DurablePostgres | None) -> None:
        self._started = psutil.Process(pid)
        self._postgres = postgres

    def kill_one(self, dice: random.Random) -> str | None:
        """Kill one, and return what it was; None where it was gone already."""
        found: dict[str, list[psutil.Process]] = {}
        for name, process in self._all():
            found.setdefault(name, []).append(process)
        if not found:
            return None  # everything is just starting again
        names = sorted(found)
        (name,) = dice.choices(names, [_WEIGHTS[each] for each in names])
        with suppress(psutil.NoSuchProcess):
            _kill(dice.choice(found[name]), with_children=name == DATABASE)
            return name
        return None

    def _all(self) -> Iterator[tuple[str, psutil.Process]]:
        with suppress(psutil.NoSuchProcess):
            for process in self._started.children(recursive=True):
                with suppress(psutil.NoSuchProcess):
                    name = _name(" ".join(process.cmdline()))
                    if name is not None:
                        yield name, process
        if self._postgres is not None:
            with suppress(psutil.NoSuchProcess, OSError, ValueError):
                postmaster = psutil.Process(self._postgres.pid)
                if str(self._postgres.folder) in " ".join(postmaster.cmdline()):
                    yield DATABASE, postmaster
                    yield from ((DATABASE_BACKEND, process) for process in postmaster.children())


def _kill(process: psutil.Process, *, with_children: bool) -> None:
    """Kill it. A backend that outlives its postmaster holds the shared memory, and keeps the next one from starting."""
    children = process.children() if with_children else []
    process.kill()
    for child in children:
        with suppress(psutil.NoSuchProcess):
            child.kill()


def _name(command: str) -> str | None:
    return next((name for part, name in _NAMES if part in command), None)
