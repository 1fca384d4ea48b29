# SPDX-License-Identifier: Apache-2.0
"""Spools as tests make and read them."""

import json
import os
import re
import zlib
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

from policies.contracts.record import UNNUMBERED, DecisionRecord
from proxy_addons.clients.segments import HEADER, MAGIC, Broken, Frames, frame, segment_path, segments, whole_bytes
from proxy_addons.clients.source_records import SourceScope
from proxy_addons.clients.spool import Spool, SpoolBounds

NOW = datetime(2026, 11, 20, 18, 0, 0, 123456, tzinfo=UTC)
_ids = count(1)


def source_scope(source_id: str = "node-1/w0") -> SourceScope:
    return SourceScope(
        id=source_id,
        tenant="default",
        environment="production",
        version="1.2.3",
        clock=lambda: NOW,
        new_id=lambda: f"own-{next(_ids)}",
    )


def open_spool(directory: Path, *, source_id: str = "node-1/w0", reserve_bytes: int = 64 * 1024, **options) -> Spool:
    return Spool.open(directory, source_scope(source_id), SpoolBounds(reserve_bytes=reserve_bytes, **options))


def record(spool: Spool, *, payload: str = "{}", outcome: str = "allow", **members: Any) -> DecisionRecord:
    """Return a record that `spool` can number."""
    source = spool.next_source()
    envelope = {
        "kind": "terminal",
        "outcome": outcome,
        "source": {"boot_id": source.boot_id, "id": source.id, "seq": source.seq},
        "time": "2026-11-20T18:00:00.000000Z",
        **members,
    }
    return DecisionRecord(
        envelope=json.dumps(envelope, sort_keys=True, separators=(",", ":")).encode(), payload=payload.encode()
    )


def unnumbered(record: DecisionRecord) -> DecisionRecord:
    """Return `record` as any spool can number it."""
    return replace(record, envelope=re.sub(rb'"seq":[0-9]+}', b'"seq":%d}' % UNNUMBERED, record.envelope))


def old_frame(line: bytes) -> bytes:
    """Return `line` in a frame as versions before CRC-32C wrote it."""
    return HEADER.pack(len(line), zlib.crc32(line)) + line


def write_segment(directory: Path, number: int, lines: Iterable[bytes], rest: bytes = b"") -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    path = segment_path(directory, number)
    path.write_bytes(MAGIC + b"".join(map(frame, lines)) + rest)
    return path


def read_frames(path: Path, **options) -> tuple[list[tuple[bytes, int]], Broken | None]:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        frames = Frames(descriptor, **options)
        return list(frames), frames.broken
    finally:
        os.close(descriptor)


def whole_bytes_of(path: Path) -> int:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        return whole_bytes(descriptor)
    finally:
        os.close(descriptor)


def lines(directory: Path) -> list[bytes]:
    """Return every whole line of the spool in `directory`."""
    return [line for segment in segments(directory) for line, _ in read_frames(segment.path)[0]]


def envelopes(found: "Path | Iterable[bytes]") -> list[dict[str, Any]]:
    """Return the envelopes of a spool, or of lines."""
    return [json.loads(json.loads(line)["envelope"]) for line in (lines(found) if isinstance(found, Path) else found)]


def of_requests(found: "Path | Iterable[bytes]") -> list[dict[str, Any]]:
    """Return the envelopes that are not of the source itself."""
    return [envelope for envelope in envelopes(found) if envelope["kind"] in {"admission", "terminal"}]


def of_the_source(found: "Path | Iterable[bytes]") -> list[dict[str, Any]]:
    return [envelope for envelope in envelopes(found) if envelope["kind"] not in {"admission", "terminal"}]


def numbers(found: "Path | Iterable[bytes]") -> list[int]:
    """Return the numbers of all records, in their order."""
    return [envelope["source"]["seq"] for envelope in envelopes(found)]
