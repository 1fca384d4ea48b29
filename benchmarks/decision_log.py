# SPDX-License-Identifier: Apache-2.0
"""The decision log at scale: `python -O -m benchmarks.decision_log DATABASE_URL [--copies K] [--days D] [--more N]`.

Ships 2^20 records through the real ingestion, tree and index included, as if they came within D days (3), and copies
them K times (9), which gives ten million in a month. Then ships N more (100,000), which shows what ingestion costs
there; asks as auditors do, through the API in this process: filtered pages, aggregates, proofs; and drops a day. The
database stays, so that `--ask` alone asks again. It needs some 30 GB.

Records are made by a process of their own. What is printed for each slice is the time of the append calls alone (wall)
and the processor time of this process; a database server's comes on top.
"""

import argparse
import logging
import multiprocessing
import random
import resource
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from multiprocessing.connection import Connection

import structlog

from benchmarks.log_copies import PART, copy_part
from benchmarks.shipped_lines import BATCH, MODELS, SUBJECTS, Batch, Shipments
from controlplane.identifiers import new_ulid
from controlplane.services.log_key import LogKey, new_log_key
from controlplane.services.model import Principal, Role
from controlplane.services.sequencing import Sequencer
from controlplane.store.engine import open_database
from controlplane.store.leadership import leadership
from controlplane.store.partitions import make_partitions
from tests.control_planes import PlaneUnderTest, make_plane
from tests.records import NOON, PSEUDONYM_KEY

END = datetime(2026, 11, 20, tzinfo=UTC)
SLICES = 10
ASKED = 100


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("database")
    parser.add_argument("--copies", type=int, default=9)
    parser.add_argument("--days", type=int, default=3)
    parser.add_argument("--more", type=int, default=100_000)
    parser.add_argument("--ask", action="store_true", help="the records are there already")
    options = parser.parse_args(arguments)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    under_test = make_plane(options.database)
    days = options.days * (options.copies + 1)
    # The last record stays within its day, so that days can be copied as they are.
    start, step = END - timedelta(days=days), timedelta(days=options.days) / (PART + BATCH)
    if not options.ask:
        engine = open_database(options.database)
        with engine.begin() as connection:
            make_partitions(connection, start.date(), days=days + 1)
        load(under_test, Shipments(start=start, step=step), records=PART)
        began = time.perf_counter()
        first_end_s = int((start + timedelta(days=options.days)).timestamp())
        copy_part(engine, copies=options.copies, days=options.days, first_end_s=first_end_s)
        if engine.dialect.name == "postgresql":
            with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                connection.exec_driver_sql("SET statement_timeout = 0")
                connection.exec_driver_sql("VACUUM ANALYZE")
        engine.dispose()
        print(f"copied {options.copies} times in {time.perf_counter() - began:,.0f} s", flush=True)
        load(under_test, Shipments(start=END, step=step, seed=2), records=options.more)
    with under_test.store.read() as session:
        size = session.log.size("default")
    under_test.clock.now = END + timedelta(days=1)
    sign(under_test)
    ask(under_test, size=size, start=start)
    print(f"resident at most: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB")


def load(under_test: PlaneUnderTest, shipments: Shipments, *, records: int) -> None:
    """Ship `records` and print how fast they were taken in."""
    agent = Principal(tenant="default", id="agent", name="agent", role=Role.AGENT, created_at=NOON)
    shipped = made_elsewhere(-(-records // BATCH), shipments)
    done = 0
    for slice_number in range(SLICES):
        wall_s = cpu_s = 0.0
        count = 0
        while done < records * (slice_number + 1) // SLICES:
            batch = next(shipped)
            lines = b"".join(batch.lines.splitlines(keepends=True)[: records - done])
            under_test.clock.now = batch.at
            cpu, began = time.process_time(), time.perf_counter()
            ingested = under_test.plane.ingestion.append(agent, lines)
            wall_s += time.perf_counter() - began
            cpu_s += time.process_time() - cpu
            if ingested.stored != min(BATCH, records - done):
                raise SystemExit(f"{ingested} of {BATCH} were stored")
            done += ingested.stored
            count += ingested.stored
        print(
            f"{done:>10,}: {count / wall_s:8,.0f} records/s, {cpu_s / count * 1e6:5.1f} µs of CPU a record", flush=True
        )


def made_elsewhere(batches: int, shipments: Shipments) -> Iterator[Batch]:
    """Yield batches that another process makes while the last ones are stored."""
    here, there = multiprocessing.Pipe(duplex=False)
    maker = multiprocessing.get_context("spawn").Process(target=_make, args=(there, batches, shipments), daemon=True)
    maker.start()
    there.close()
    for _ in range(batches):
        yield here.recv()
    maker.join()


def _make(pipe: Connection, batches: int, shipments: Shipments) -> None:
    for _, batch in zip(range(batches), shipments, strict=False):
        pipe.send(batch)


def sign(under_test: PlaneUnderTest) -> None:
    """Check all of the log as a sequencer does at its start, and sign it: proofs are of what is signed."""
    sequencer = Sequencer(
        store=under_test.store,
        leadership=leadership(under_test.store._engine, under_test.clock),  # noqa: SLF001  # the store's own database
        key=LogKey.parse(new_log_key()),
        clock=under_test.clock,
        new_id=new_ulid,
        pseudonym_key=PSEUDONYM_KEY,
    )
    began = time.perf_counter()
    sequencer.step()
    took_s = time.perf_counter() - began
    print(
        f"\nchecked and signed {[status.size for status in sequencer.status()]} entries in {took_s:.1f} s", flush=True
    )


def ask(under_test: PlaneUnderTest, *, size: int, start: datetime) -> None:
    """Ask what auditors ask, each question many times with other values, and print how long the answers took."""
    draw = random.Random(7)  # the same questions again

    def subject() -> str:
        return f"subject=user:u{draw.randrange(SUBJECTS)}"

    def day() -> str:
        # Envelopes of the copies say when the first part was written: a day of that one.
        first = start + timedelta(days=draw.randrange(2))
        return f"from={first:%Y-%m-%dT%H:%M:%SZ}&to={first + timedelta(days=1):%Y-%m-%dT%H:%M:%SZ}"

    def index() -> int:
        return draw.randrange(size)

    month = f"from={start:%Y-%m-%dT%H:%M:%SZ}&to={END:%Y-%m-%dT%H:%M:%SZ}"
    pages: dict[str, Callable[[], str]] = {
        "newest": lambda: "order=desc",
        "outcome": lambda: "outcome=deny&order=desc",
        "subject": subject,
        "subject, newest first": lambda: f"{subject()}&order=desc",
        "subject and outcome": lambda: f"{subject()}&outcome=error_deny",
        "model and reason": lambda: f"model={MODELS[-1]}&reason=rate-limited",
        "two reasons, a model, a day": lambda: f"reason=rate-limited&reason=guard-denied&model={MODELS[2]}&{day()}",
        "detector in a day": lambda: f"detector=iban&{day()}",
        "what never meets": lambda: "outcome=allow&reason=access-denied",
        "nothing like it": lambda: "model=no-such-model",
    }
    print(f"\nof {size:,} entries, {ASKED} times each, through the API, in ms")
    for name, question in pages.items():
        measured(f"page: {name}", lambda question=question: get(under_test, f"/v1/decisions?limit=50&{question()}"))
    for by in ("outcome", "model", "reason"):
        path = f"/v1/decisions:aggregate?by={by}&bucket=hour&{month}"
        measured(f"aggregate: month by hour and {by}", lambda path=path: get(under_test, path), times=20)
    measured(
        "proof of inclusion",
        lambda: get(under_test, f"/v1/audit/proofs/inclusion?index={index()}&tree_size={size}"),
    )
    measured(
        "proof of consistency",
        lambda: get(under_test, f"/v1/audit/proofs/consistency?first={index() + 1}&second={size}"),
    )


def measured(name: str, question: Callable[[], object], *, times: int = ASKED) -> None:
    """Ask `times` times, after twice to warm up, and print the quantiles."""
    taken = []
    for number in range(times + 2):
        began = time.perf_counter()
        question()
        if number > 1:
            taken.append((time.perf_counter() - began) * 1000)
    cuts = statistics.quantiles(taken, n=100, method="inclusive")
    print(f"{name:<40} p50 {cuts[49]:7.1f}  p99 {cuts[98]:7.1f}  most {max(taken):7.1f}", flush=True)


def get(under_test: PlaneUnderTest, path: str) -> None:
    """Ask, and insist on an answer."""
    answer = under_test.call("GET", path, "auditor")
    if answer.status_code != 200:  # OK
        raise SystemExit(f"{path}: {answer.status_code} {answer.text}")


if __name__ == "__main__":
    main(sys.argv[1:])
