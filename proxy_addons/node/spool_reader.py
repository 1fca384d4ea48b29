# SPDX-License-Identifier: Apache-2.0
"""The node's end of a spool: reads what workers wrote, in order, and deletes what is acknowledged.

Facts: a segment is complete once one with a higher number is there; only the highest may be growing. So a broken frame
in the highest may be a write under way and is waited for. In any other it will never be whole: the segment gets a
second name `.corrupt` for a person to look at, is counted, and reading goes on with the next whole frame.

Rules: what is here and not known as acknowledged is sent. Sent twice, it is stored once.
"""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import structlog

from proxy_addons.clients.segments import MAX_LINE_BYTES, Broken, Frames, Segment, count_frames, segments

_log: Final = structlog.get_logger()

_LARGEST_POSITION_BYTES: Final = 256


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """A place between two frames: everything before it is acknowledged."""

    segment: int
    offset: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Lines to send, and where reading goes on once they are acknowledged. `through` are the segments it has read.

    `full` says that a limit ended it: there may be more to read at once.
    """

    lines: tuple[bytes, ...]
    end: Position
    through: tuple[int, ...] = ()
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
        self._not_deleted: set[int] = set()  # acknowledged, and still there
        self._set_aside: set[int] = set()

    def read_batch(self, *, max_lines: int, max_bytes: int) -> Batch | None:
        """Return the next lines, None where there is nothing new. Nothing is taken away until `acknowledge`."""
        lines: list[bytes] = []
        room = max_bytes
        start = end = self._begin()
        through: list[int] = []
        full = False
        for segment, is_last in self._from(start):
            if segment.number > end.segment:
                end = Position(segment.number, 0)
            through.append(segment.number)
            with _opened(segment) as descriptor:
                frames = Frames(descriptor, end.offset, past_damage=not is_last)
                for line, behind in frames:
                    if lines and len(line) > room:
                        full = True
                        break
                    lines.append(line)
                    room -= len(line)
                    end = Position(segment.number, behind)
                    if len(lines) >= max_lines:
                        full = True
                        break
            if not is_last and (frames.damaged or frames.broken in {Broken.TORN, Broken.CORRUPT}):
                self._keep_damaged(segment)
            if full:
                break
        if end == start and not lines:
            return None
        return Batch(lines=tuple(lines), end=end, through=tuple(through), full=full)

    def acknowledge(self, batch: Batch) -> None:
        """Remember that all of `batch` is durable elsewhere, and delete the segments that lie before its end."""
        self._position = batch.end
        self._pending = max(0, self._pending - len(batch.lines))
        self._not_deleted |= {number for number in batch.through if number < batch.end.segment}
        for segment in segments(self._directory):
            if segment.number in self._not_deleted:
                try:
                    segment.path.unlink(missing_ok=True)
                except OSError as exc:  # it is tried again after the next batch
                    _log.warning("spool_segment_not_deleted", segment=str(segment.path), problem=exc.strerror)
                    continue
                self._not_deleted.discard(segment.number)
        if self._counted < batch.end:
            self._counted, self._pending = batch.end, 0
        # Last, since on a full disk it needs the room that was just made.
        self._remember(batch.end)

    def _begin(self) -> Position:
        """Return where to read on: at the position, or at a segment before it that is not known as acknowledged.

        Such a segment came back with a backup, or its numbers began anew in a directory that was emptied.
        """
        before = [
            segment.number
            for segment in segments(self._directory)
            if segment.number < self._position.segment and segment.number not in self._not_deleted
        ]
        if not before:
            return self._position
        _log.warning("spool_segment_before_position", spool=str(self._directory), segment=before[0])
        return Position(before[0], 0)

    def _keep_damaged(self, segment: Segment) -> None:
        """Give the damaged `segment` a name that stays when it is deleted."""
        if segment.number in self._set_aside:
            return
        self._set_aside.add(segment.number)
        kept = segment.path.with_suffix(".corrupt")
        try:
            os.link(segment.path, kept)
        except FileExistsError:
            return  # it was found before a restart
        except OSError as exc:
            _log.warning("spool_segment_not_kept", segment=str(segment.path), problem=exc.strerror)
        self.corrupt_count += 1
        _log.error("spool_segment_corrupt", segment=str(kept))

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
            with suppress(FileNotFoundError), _opened(segment) as descriptor:
                found, offset = count_frames(descriptor, self._counted.offset)
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
        """Return the segments from `position` on that are not acknowledged, each with whether it is the last one."""
        found = segments(self._directory)
        return [
            (segment, segment is found[-1])
            for segment in found
            if segment.number >= position.segment and segment.number not in self._not_deleted
        ]

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
        if type(segment) is not int or type(offset) is not int or not self._ends_a_frame(segment, offset):
            _log.warning("spool_position_lost", spool=str(self._directory))
            return start
        return Position(segment, offset)

    def _ends_a_frame(self, segment: int, offset: int) -> bool:
        """Tell whether a frame ends there: any other place would pass over records that were never sent."""
        for found in segments(self._directory):
            if found.number == segment:
                with _opened(found) as descriptor:
                    return not offset or any(behind == offset for _, behind in Frames(descriptor, past_damage=True))
        return False


@contextmanager
def _opened(segment: Segment) -> Iterator[int]:
    descriptor = os.open(segment.path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
