# SPDX-License-Identifier: Apache-2.0
"""Dropping a day of the decision log: `python -O -m benchmarks.retention DATABASE_URL [--days D]`.

Ships 20,480 records through the real ingestion and copies their rows, those of the index included, until there are D
days (3) of 348,160 records. Then drops the first day with its records and the second with its payloads, as policy has
it. Beside it another thread keeps appending to the log of another tenant: the longest that one of its batches took is
what others wait for a slice.
"""

import argparse
import logging
import resource
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta

import structlog
from sqlalchemy import text

from benchmarks.decision_log import END
from benchmarks.shipped_lines import BATCH, Shipments
from controlplane.services.keeping import RetentionClass
from controlplane.services.model import Principal, Role
from controlplane.store.columns import day_number
from controlplane.store.engine import open_database
from controlplane.store.index_geometry import GEOMETRY
from controlplane.store.partitions import make_partitions
from tests.control_planes import PlaneUnderTest, make_plane
from tests.records import NOON, make_record

ADMIN = Principal(tenant="default", id="admin", name="admin", role=Role.ADMIN, created_at=NOON)
AGENT = replace(ADMIN, id="agent", role=Role.AGENT)
WRITER = replace(AGENT, tenant="other")
WRITER_PAUSE_S = 0.02
# Whole chunks and blocks of the index.
BASE = 20_480
COPIES = 17
COPIED = (
    (
        "INSERT INTO records (tenant, log_index, day, kind, received_at, envelope) "
        "SELECT tenant, log_index + :shift, :day, kind, received_at, envelope FROM records WHERE log_index < :base"
    ),
    (
        "INSERT INTO payloads (tenant, log_index, day, content) "
        "SELECT tenant, log_index + :shift, :day, content FROM payloads WHERE log_index < :base"
    ),
    (
        "INSERT INTO decisions "
        "(tenant, log_index, request_id, admission_index, terminal_index, admission_at, terminal_at) "
        "SELECT tenant, log_index + :shift, CAST(:prefix AS TEXT) || request_id, admission_index + :shift, "
        "terminal_index + :shift, admission_at, terminal_at FROM decisions WHERE log_index < :base"
    ),
    (
        "INSERT INTO decision_postings (tenant, term, chunk, bits) "
        "SELECT tenant, term, chunk + :chunks * :copy, bits FROM decision_postings WHERE chunk < :chunks"
    ),
    (
        "INSERT INTO decision_zones (tenant, chunk, first_at, last_at) "
        "SELECT tenant, chunk + :chunks * :copy, first_at, last_at FROM decision_zones WHERE chunk < :chunks"
    ),
    (
        "INSERT INTO decision_fingerprints (tenant, dimension, level, part, number, entries) "
        "SELECT tenant, dimension, level, part, number + :blocks * :copy, entries FROM decision_fingerprints "
        "WHERE level = 0 AND number < :blocks"
    ),
)


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("database")
    parser.add_argument("--days", type=int, default=3)
    options = parser.parse_args(arguments)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    under_test = make_plane(options.database)
    start = END - timedelta(days=options.days)
    with open_database(options.database).begin() as connection:
        make_partitions(connection, start.date(), days=options.days)
    fill(under_test, options.database, start=start, days=options.days)
    under_test.clock.now = END
    drop(under_test, RetentionClass.RECORDS, keep_days=options.days - 1)
    drop(under_test, RetentionClass.PAYLOADS, keep_days=options.days - 2)


def fill(under_test: PlaneUnderTest, database: str, *, start: datetime, days: int) -> None:
    """Make `days` days of COPIES times BASE records."""
    lines = b"".join(
        batch.lines for batch, _ in zip(Shipments(start=start, step=timedelta(0)), range(21), strict=False)
    )
    rest = lines.splitlines(keepends=True)[:BASE]
    under_test.clock.now = start
    while rest:
        under_test.plane.ingestion.append(AGENT, b"".join(rest[:BATCH]))
        rest = rest[BATCH:]
    engine = open_database(database)
    first = day_number(start.date())
    for number in range(1, days * COPIES):
        with engine.begin() as connection:
            for statement in COPIED:
                connection.execute(
                    text(statement),
                    {
                        "base": BASE,
                        "shift": number * BASE,
                        "day": first + number // COPIES,
                        "chunks": BASE // GEOMETRY.chunk,
                        "blocks": BASE // GEOMETRY.block,
                        "copy": number,
                        "prefix": f"{number:05}-",
                    },
                )
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM log_days"))
        for number in range(days):
            row = {"day": first + number, "first": number * COPIES * BASE, "end": (number + 1) * COPIES * BASE}
            connection.execute(text("INSERT INTO log_days VALUES ('default', :day, :first, :end)"), row)
        connection.execute(text("UPDATE log_heads SET day = :day"), {"day": first + days - 1})
    engine.dispose()


def drop(under_test: PlaneUnderTest, of: RetentionClass, *, keep_days: int) -> None:
    """Set the policy, announce, and time what `carry_out` takes."""
    retention = under_test.plane.retention
    retention.set_policy(ADMIN, of, days=keep_days)
    due = retention.announce(ADMIN)
    place(under_test)
    before = resource.getrusage(resource.RUSAGE_SELF)
    with writing(under_test) as waits:
        began = time.perf_counter()
        done = [retention.carry_out(each) for each in due]
        took_s = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_SELF)
    for each in done:
        count = each.end_index - each.first_index
        print(f"{of} of {each.day}: {count:,} entries, {each.state}")
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    grown = (after.ru_maxrss - before.ru_maxrss) / 1024
    print(
        f"  {took_s:.2f} s ({cpu_s:.2f} s of CPU here, the other writer's included), resident {grown:+.0f} MiB; "
        f"{len(waits)} batches of others came in between, the slowest took {max(waits, default=0) * 1000:.0f} ms"
    )


@contextmanager
def writing(under_test: PlaneUnderTest) -> Iterator[list[float]]:
    """Append single records from another thread, and give how long each took."""
    stopped, waits = threading.Event(), list[float]()
    boot = f"writer-{time.monotonic_ns()}"

    def write() -> None:
        seq = 0
        while not stopped.wait(WRITER_PAUSE_S):
            seq += 1
            line = make_record(seq=seq, boot_id=boot, tenant=WRITER.tenant).to_line()
            began = time.perf_counter()
            under_test.plane.ingestion.append(WRITER, line)
            waits.append(time.perf_counter() - began)

    thread = threading.Thread(target=write)
    thread.start()
    try:
        yield waits
    finally:
        stopped.set()
        thread.join()


def place(under_test: PlaneUnderTest) -> None:
    """Stand in for the sequencer: give the announcements their place in the log."""
    with under_test.store.write() as session:
        waiting = session.admin_events.waiting(limit=1_000)
        session.admin_events.placed({event.seq: event.seq for event in waiting})


if __name__ == "__main__":
    main(sys.argv[1:])
