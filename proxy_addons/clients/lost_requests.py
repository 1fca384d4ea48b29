# SPDX-License-Identifier: Apache-2.0
"""Finds the requests that a dead process left without a terminal record, and writes one for each, once.

Rules: whoever does this holds the lock of the spool's directory, so that its process is dead and nobody else does it. A
request whose terminal record is in the spool, or was when its cell had not been freed yet, is not lost. The tables go
only when all records are durable: a crash in between has it done again, and what was written is found.

Facts: a table that a loss of power took back to an earlier state lacks the youngest requests; those of them that were
admitted are found by their admission records. The table was synced when the last segment but one was left, so that the
last two segments have all that it may lack. A segment goes when it is shipped and a later one is there, so that nothing
may be written before all of them are read.
"""

import asyncio
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final, Protocol

import orjson
import structlog

from policies.contracts.record import DecisionRecord, RecordKind, Source
from proxy_addons.clients.open_requests import read_table, tables_left
from proxy_addons.clients.segments import Frames, Segment, segments
from proxy_addons.core.lost_request import LostRequest
from proxy_addons.core.record_builder import RecordScope

_log: Final = structlog.get_logger()

_ALWAYS_READ: Final = 2
# A clock that is set back makes a segment look older than the requests in it.
_CLOCK_SLACK: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamps:
    """Clock and randomness of records, given so that a test can choose them."""

    clock: Callable[[], datetime]
    new_id: Callable[[], str]
    new_salt: Callable[[], str]


class Sink(Protocol):
    def begin(self) -> None: ...
    def next_source(self) -> Source: ...
    async def write(self, record: DecisionRecord, *, again: bool) -> None: ...


def find_lost(directory: Path, tables: Iterable[Path]) -> list[LostRequest]:
    """Return the requests of `tables`, and of admissions in the spool of `directory`, that have no terminal record."""
    noted = {lost.request_id: lost for table in tables for lost in _noted(table)}
    since = min((lost.begun_at for lost in noted.values()), default=None)
    admissions: dict[str, dict[str, Any]] = {}
    for segment in _segments_since(directory, since):
        for envelope in _envelopes(segment):
            match envelope:
                case {"kind": RecordKind.ADMISSION, "request_id": request_id}:
                    admissions[request_id] = envelope
                case {"kind": RecordKind.TERMINAL, "request_id": request_id}:
                    noted.pop(request_id, None)
                    admissions.pop(request_id, None)
    for request_id, envelope in admissions.items():
        known = noted.get(request_id) or _admitted(envelope)
        if known is not None:
            noted[request_id] = replace(known, admission=envelope, admitted=True)
    return sorted(noted.values(), key=lambda lost: lost.begun_at)


async def settle(
    directory: Path,
    sink: Sink,
    *,
    scope: RecordScope,
    stamps: Stamps,
) -> int:
    """Write what dead processes left unsaid in `directory`, whose lock the caller holds. Return how many requests.

    `sink` has written nothing yet. Raises OSError and what `sink` raises; then it may be tried again.
    """
    tables = tables_left(directory)
    if not tables:
        return 0
    lost = await asyncio.to_thread(find_lost, directory, tables)
    await asyncio.to_thread(sink.begin)
    for each in lost:
        await sink.write(
            each.record(
                scope=scope,
                source=sink.next_source(),
                record_id=stamps.new_id(),
                salt=stamps.new_salt(),
                at=stamps.clock(),
            ),
            again=True,
        )
        _log.warning("request_lost", request_id=each.request_id, admitted=each.admitted)
    # Their names need not be gone durably: a table that comes back is read again, and all it has is found recorded.
    for table in tables:
        table.unlink(missing_ok=True)
    return len(lost)


def _noted(table: Path) -> Iterable[LostRequest]:
    for cell in read_table(table):
        try:
            yield LostRequest.noted(cell.begun, cell.asked, cell.decided, admitted=cell.admitted)
        except ValueError:
            _log.error("open_request_unreadable", table=table.name)


def _admitted(envelope: dict[str, Any]) -> LostRequest | None:
    try:
        return LostRequest.of_admission(envelope)
    except (ValueError, KeyError, TypeError):
        return None


def _envelopes(segment: Segment) -> Iterator[dict[str, Any]]:
    descriptor = os.open(segment.path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        for line, _ in Frames(descriptor, past_damage=True):
            try:
                yield orjson.loads(orjson.loads(line)["envelope"])
            except (ValueError, KeyError, TypeError):
                continue  # the control plane puts it into quarantine
    finally:
        os.close(descriptor)


def _segments_since(directory: Path, since: datetime | None) -> list[Segment]:
    """Return the segments that may have records of requests that began at `since` or later, and the last two."""
    found = segments(directory)
    if since is None:
        return found[-_ALWAYS_READ:]
    oldest_s = (since - _CLOCK_SLACK).timestamp()
    return [
        segment
        for place, segment in enumerate(found)
        if place >= len(found) - _ALWAYS_READ or segment.path.stat().st_mtime >= oldest_s
    ]
