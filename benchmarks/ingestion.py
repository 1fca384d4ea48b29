# SPDX-License-Identifier: Apache-2.0
"""How fast records are taken in, and what each costs: `python -O -m benchmarks.ingestion [--records N] [URL…]`.

Lines as proxies ship them, through the real use case into a real database with durable commits, tree and index
included; HTTP is left out. Without a URL: SQLite in a temporary folder, then a private PostgreSQL with its defaults.
First one batch at a time, then four shippers at once, whose batches are stored together. The first fifth of the
records warms the database up and is not counted.

The parts are processor time of this process, each without those within it; a database server's own comes on top.
"""

import argparse
import logging
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest import mock

import psutil
import structlog

from benchmarks.shipped_lines import BATCH, Shipments
from controlplane.garbage import look_for_circles_less
from controlplane.identifiers import utc_now
from controlplane.services import ingestion as ingestion_module
from controlplane.services.ingestion import Ingestion
from controlplane.services.model import Principal, Role
from controlplane.store import decision_log, log_append, log_writer
from controlplane.store.engine import open_database
from controlplane.store.migrate import migrate
from controlplane.store.store import SqlStore
from tests.control_planes import PAYLOAD_KEYS
from tests.databases import postgres_binaries
from tests.ports import unused_port
from tests.soak.durable_postgres import DurablePostgres

SHIPPERS = 4
AGENT = Principal(
    tenant="default", id="agent", name="agent", role=Role.AGENT, created_at=datetime(2026, 1, 1, tzinfo=UTC)
)


class Parts:
    """Processor time by part: of the thread that is in it, without the parts within it."""

    def __init__(self) -> None:
        self.spent_s: defaultdict[str, float] = defaultdict(float)
        self._within_s = 0.0

    @contextmanager
    def measured(self) -> Iterator[None]:
        """Measure the parts for as long as the context is open. One thread at a time, or the parts mix."""
        places: tuple[tuple[ModuleType | type, str, str], ...] = (
            (ingestion_module, "read_line", "read lines"),
            (decision_log.LogAppend, "take", "sort out"),
            (decision_log.LogAppend, "save", "runs"),
            (decision_log, "write_entries", "seal, heads, days"),
            (log_writer, "_put", "rows"),
            (log_writer, "append", "tree"),
            (log_writer, "put_tiles", "tiles"),
            (log_append, "ended_requests", "terminals"),
            (decision_log, "project", "index"),
        )
        with ExitStack() as stack:
            for owner, name, part in places:
                stack.enter_context(mock.patch.object(owner, name, self._wrapped(getattr(owner, name), part)))
            yield

    def _wrapped(self, function: Callable[..., Any], part: str) -> Callable[..., Any]:
        def wrapped(*arguments: Any, **named: Any) -> Any:
            outer, self._within_s = self._within_s, 0.0
            began = time.thread_time()
            try:
                return function(*arguments, **named)
            finally:
                took = time.thread_time() - began
                self.spent_s[part] += took - self._within_s
                self._within_s = outer + took

        return wrapped


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("urls", nargs="*")
    parser.add_argument("--records", type=int, default=100_000)
    options = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    batches = [batch.lines for batch in islice(shipments(), options.records // BATCH)]
    look_for_circles_less()  # as the server does
    with ExitStack() as stack:
        for url in options.urls or private_databases(stack):
            for at_once in (1, SHIPPERS):
                measure(url, batches, at_once=at_once)


def shipments() -> Shipments:
    return Shipments(start=datetime.now(tz=UTC), step=timedelta(microseconds=100), seed=time.time_ns())


def private_databases(stack: ExitStack) -> Iterator[str]:
    folder = stack.enter_context(tempfile.TemporaryDirectory())
    yield f"sqlite:///{folder}/gatehouse.db"
    binaries = postgres_binaries()
    if binaries is None:
        print("no PostgreSQL on this machine")
        return
    with durable_postgres(binaries) as url:
        yield url


@contextmanager
def durable_postgres(binaries: Path) -> Iterator[str]:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o777)
        server = DurablePostgres(Path(folder), binaries, unused_port())
        server.make()
        server.start()
        try:
            yield server.url
        finally:
            server.stop()


def measure(url: str, batches: list[bytes], *, at_once: int) -> None:
    """Take `batches` in, as new records, and print how fast the last four fifths went and what they cost."""
    engine = open_database(url)
    migrate(engine)
    ingestion = Ingestion(store=SqlStore(engine, PAYLOAD_KEYS), clock=utc_now)
    boot = f"{time.time_ns():032x}".encode()
    fresh = [renamed(batch, boot) for batch in batches]
    warm = len(fresh) // 5
    for batch in fresh[:warm]:
        ingestion.append(AGENT, batch)
    parts = Parts()
    server = server_cpu_s(url)
    cpu, began = time.process_time(), time.perf_counter()
    if at_once == 1:
        with parts.measured():
            stored = sum(ingestion.append(AGENT, batch).stored for batch in fresh[warm:])
    else:
        with ThreadPoolExecutor(at_once) as threads:
            lanes = [fresh[warm + lane :: at_once] for lane in range(at_once)]
            stored = sum(threads.map(lambda lane: sum(ingestion.append(AGENT, each).stored for each in lane), lanes))
    wall_s, cpu_s = time.perf_counter() - began, time.process_time() - cpu
    server_s = server_cpu_s(url) - server
    print(
        f"{engine.dialect.name}, {at_once} at once: {stored / wall_s:8,.0f} records/s of {stored:,}; "
        f"{cpu_s / stored * 1e6:.1f} µs of CPU a record here, {server_s / stored * 1e6:.1f} in the server",
    )
    for part, spent_s in sorted(parts.spent_s.items(), key=lambda item: -item[1]):
        print(f"    {part:20} {spent_s / stored * 1e6:6.1f}")
    engine.dispose()


def renamed(batch: bytes, boot: bytes) -> bytes:
    """Return `batch` as of another process and other requests: what was stored before is not stored again."""
    for name in (b'\\"boot_id\\":\\"', b'\\"request_id\\":\\"req_'):
        pieces = batch.split(name)
        batch = name.join([pieces[0], *(boot[-8:] + piece[8:] for piece in pieces[1:])])
    return batch


def server_cpu_s(url: str) -> float:
    """Return the processor time of all PostgreSQL processes of this machine, those that ended within them included."""
    if url.startswith("sqlite"):
        return 0.0
    total = 0.0
    for process in psutil.process_iter(["name", "cpu_times"]):
        times = process.info["cpu_times"]
        if process.info["name"] == "postgres" and times is not None:
            total += times.user + times.system
    return total


if __name__ == "__main__":
    main()
