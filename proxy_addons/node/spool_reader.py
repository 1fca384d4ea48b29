# SPDX-License-Identifier: Apache-2.0
"""The node's end of a spool: reads what workers wrote, in order, and deletes what is acknowledged.

Facts: a segment is complete once one with a higher number is there; only the highest may be growing. So a broken frame
in the highest may be a write under way and is waited for, and in any other it will never be whole: the rest of that
segment is set aside as `.corrupt` for a person to look at, counted, and the next segment goes on.
"""

import json
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, Final

import structlog

from proxy_addons.clients.segments import HEADER, MAX_LINE_BYTES, Broken, Frames, Segment, segment_path, segments

_log: Final = structlog.get_logger()

_LARGEST_POSITION_BYTES: Final = 256


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """A place between two frames: everything before it is acknowledged."""

    segment: int
    offset: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Lines to send, and where reading goes on once they are acknowledged. `corrupt` segments are left unfinished.

    `full` says that a limit ended it: there may be more to read at once.
    """

    lines: tuple[bytes, ...]
    end: Position
    corrupt: tuple[int, ...] = ()
    full: bool = False


class SpoolReader:
    """Reads the spool in `directory`. `position.json` in it survives restarts; without it everything is sent again."""

    def __init__(self, directory: Path) -> None:
        self.corrupt_count = 0
        self._directory = directory
        self._file = directory / "position.json"
        self._position = self._load()
        self._counted = self._position
        self._pending = 0  # frames from the position to `_counted`

    def read_batch(self, *, max_lines: int, max_bytes: int) -> Batch | None:
        """Return the next lines, None where there is nothing new. Nothing is taken away until `acknowledge`."""
        lines: list[bytes] = []
        corrupt: list[int] = []
        room = max_bytes
        end = self._position
        for segment, is_last in self._from(end):
            if segment.number > end.segment:
                end = Position(segment.number, 0)
            with segment.path.open("rb", buffering=0) as file:
                file.seek(end.offset)
                frames = Frames(file)
                for line, behind in frames:
                    if lines and len(line) > room:
                        return Batch(lines=tuple(lines), end=end, corrupt=tuple(corrupt), full=True)
                    lines.append(line)
                    room -= len(line)
                    end = Position(segment.number, behind)
                    if len(lines) >= max_lines:
                        break
            if not is_last and frames.broken in {Broken.TORN, Broken.CORRUPT}:
                corrupt.append(segment.number)
            if len(lines) >= max_lines:
                break
        if end == self._position:
            return None
        return Batch(lines=tuple(lines), end=end, corrupt=tuple(corrupt), full=len(lines) >= max_lines)

    def acknowledge(self, batch: Batch) -> None:
        """Remember that all of `batch` is durable elsewhere, and delete the segments that lie before its end."""
        self._position = batch.end
        self._pending = max(0, self._pending - len(batch.lines))
        for number in batch.corrupt:
            path = segment_path(self._directory, number)
            path.rename(path.with_suffix(".corrupt"))
            self.corrupt_count += 1
            _log.error("spool_segment_corrupt", segment=str(path.with_suffix(".corrupt")))
        for segment in segments(self._directory):
            if segment.number < batch.end.segment:
                segment.path.unlink()
        if batch.corrupt or self._counted < batch.end:
            self._counted, self._pending = batch.end, 0
        # Last, since on a full disk it needs the room that was just made.
        self._remember(batch.end)

    def _remember(self, position: Position) -> None:
        """Write the position down. Where it is lost, with a crash or a full disk, a restart sends some records again.

        The control plane stores them once; so it is not synced, and shipping, which makes room, goes on without it.
        """
        unfinished = self._file.with_suffix(".tmp")
        try:
            unfinished.write_text(json.dumps([position.segment, position.offset]), encoding="ascii")
            unfinished.replace(self._file)
        except OSError as exc:
            _log.warning("spool_position_not_written", spool=str(self._directory), problem=exc.strerror)

    def count_pending(self) -> int:
        """Return how many records are not acknowledged. Each is counted once, so that a long outage costs no more."""
        for segment, _ in self._from(self._counted):
            if segment.number > self._counted.segment:
                self._counted = Position(segment.number, 0)
            with segment.path.open("rb") as file:
                found, offset = _count_frames(file, self._counted.offset)
            self._pending += found
            self._counted = Position(segment.number, offset)
        return self._pending

    def oldest_s(self, now: datetime) -> int:
        """Return the age of the oldest record that is not acknowledged, 0 where there is none."""
        batch = self.read_batch(max_lines=1, max_bytes=MAX_LINE_BYTES)
        if batch is None or not batch.lines:
            return 0
        try:
            written_at = datetime.fromisoformat(json.loads(json.loads(batch.lines[0])["envelope"])["time"])
            return max(0, int((now - written_at.astimezone(UTC)).total_seconds()))
        except (ValueError, KeyError, TypeError):
            return 0  # a line the control plane will put into quarantine

    def _from(self, position: Position) -> list[tuple[Segment, bool]]:
        """Return the segments from `position` on, each with whether it is the last one."""
        found = segments(self._directory)
        return [(segment, segment is found[-1]) for segment in found if segment.number >= position.segment]

    def _load(self) -> Position:
        start = Position(0, 0)
        try:
            with self._file.open("rb") as file:
                segment, offset = json.loads(file.read(_LARGEST_POSITION_BYTES))
        except FileNotFoundError:
            return start
        except (ValueError, TypeError):
            _log.warning("spool_position_lost", spool=str(self._directory))
            return start
        # A place behind the end of its segment would pass over records that were never sent.
        sizes = {found.number: found.path.stat().st_size for found in segments(self._directory)}
        if type(segment) is not int or type(offset) is not int or not 0 <= offset <= sizes.get(segment, -1):
            _log.warning("spool_position_lost", spool=str(self._directory))
            return start
        return Position(segment, offset)


def _count_frames(file: BinaryIO, offset: int) -> tuple[int, int]:
    """Return how many whole frames follow `offset`, by their lengths alone, and where the last one ends."""
    size = os.fstat(file.fileno()).st_size
    count = 0
    while True:
        file.seek(offset)
        header = file.read(HEADER.size)
        if len(header) < HEADER.size:
            return count, offset
        length, _ = HEADER.unpack(header)
        end = offset + HEADER.size + length
        if not 0 < length <= MAX_LINE_BYTES or end > size:
            return count, offset
        count, offset = count + 1, end
