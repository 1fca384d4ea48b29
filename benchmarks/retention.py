# SPDX-License-Identifier: Apache-2.0
"""Dropping a day of the decision log: `python -O -m benchmarks.retention DATABASE_URL [--records N] [--days D]`.

Ships N records (1 million by default) over D days (3) through the real ingestion, then drops the first day with its
records and the second with its payloads, each announced and applied as policy has it. Beside it another thread keeps
appending to the log: the longest that one of its batches took is what others wait for a slice. `--filled` takes a
database that `benchmarks.decision_log` or an earlier run has filled over D days.
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
from datetime import timedelta

import structlog

from benchmarks.decision_log import END, load
from controlplane.services.keeping import RetentionClass
from controlplane.services.model import Principal, Role
from controlplane.store.engine import open_database
from controlplane.store.partitions import make_partitions
from tests.control_planes import PlaneUnderTest, make_plane
from tests.records import NOON, make_record

ADMIN = Principal(tenant="default", id="admin", name="admin", role=Role.ADMIN, created_at=NOON)
AGENT = replace(ADMIN, id="agent", role=Role.AGENT)
WRITER_PAUSE_S = 0.02


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("database")
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--days", type=int, default=3)
    parser.add_argument("--filled", action="store_true", help="the records are there already")
    options = parser.parse_args(arguments)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    under_test = make_plane(options.database)
    start = END - timedelta(days=options.days)
    with open_database(options.database).begin() as connection:
        make_partitions(connection, start.date(), days=options.days)
    if not options.filled:
        load(under_test, records=options.records, start=start, step=timedelta(days=options.days) / options.records)
    under_test.clock.now = END
    drop(under_test, RetentionClass.RECORDS, keep_days=options.days - 1)
    drop(under_test, RetentionClass.PAYLOADS, keep_days=options.days - 2)


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
            line = make_record(seq=seq, boot_id=boot).to_line()
            began = time.perf_counter()
            under_test.plane.ingestion.append(AGENT, line)
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
