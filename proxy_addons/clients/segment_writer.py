# SPDX-License-Identifier: Apache-2.0
"""Appends lines to the segments of a spool, each time durably. For one thread, that of `clients/spool.py`.

Theory: a file `reserve` beside the segments has room allocated for the time when there is none. When a write fails, or
the spool has reached its mark, the reserve becomes the next segment and takes what has to be written. `scarce` is true
from then on until `make_room` has allocated another reserve and begun an ordinary segment. So what is in the reserve
is part of the sequence like everything else, and is shipped in order.

Warning: after a failed write nobody knows what the disk holds. The segment is cut back to what was durable before and
left. It is never written to again, since the shipper may have read on in it. The same lines go into the reserve; what
was sent twice is stored once.
"""

import errno
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from policies.contracts.record import LossReason
from proxy_addons.clients.open_segment import OpenSegment
from proxy_addons.clients.segments import HEADER, MAGIC, Frames, Segment, segment_path, segments, size_of, whole_bytes
from proxy_addons.durable import sync_directory

# Some 150 records: so few writes change the file's size that they do not show, and a kill leaves little to cut off.
AHEAD_BYTES: Final = 256 * 1024
_NO_ROOM: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


class SpoolFull(Exception):
    """There are as many bytes in the spool as it may have."""


class RecordsLost(Exception):
    """Nothing could take the lines. `in_doubt`: the disk may hold some of them."""

    def __init__(self, why: LossReason, problem: str, *, in_doubt: bool) -> None:
        super().__init__(f"the spool cannot be written ({problem})")
        self.why = why
        self.in_doubt = in_doubt


class SegmentWriter:
    """Writes to `directory`, which belongs to it alone. Cuts off a torn frame and starts a segment of its own.

    `last_line` is the last one that was there before, if any.
    """

    def __init__(self, directory: Path, *, segment_bytes: int, high_water_bytes: int, reserve_bytes: int) -> None:
        self.scarce = True  # until there is a reserve
        self.why = LossReason.DISK_ERROR  # it is scarce
        self.last_line: bytes | None = None
        self.reserve_bytes = reserve_bytes
        self.before_next: Callable[[], None] = lambda: None  # called before a segment follows on another
        self._directory = directory
        self._segment_bytes = segment_bytes
        self._high_water_bytes = high_water_bytes
        self._segment: OpenSegment | None = None
        self._number = self._recover()
        self._total = size_of(directory)

    def _recover(self) -> int:
        """Cut the torn end off the last segment, and return its number (0 where there is none)."""
        found = segments(self._directory)
        for segment in reversed(found):
            with suppress(FileNotFoundError):  # it was shipped just now
                self.last_line = _last_line(segment, cut=segment is found[-1])
            if self.last_line is not None:
                break
        return found[-1].number if found else 0

    @property
    def reserve_room_bytes(self) -> int:
        """What is left of the reserve, while it is scarce."""
        return self.reserve_bytes if self._segment is None else self._segment.room_bytes

    def append(self, lines: Sequence[bytes]) -> None:
        """Make `lines` durable, in the reserve if it must be. Raises RecordsLost."""
        in_doubt = False
        if not self.scarce:
            try:
                segment = self._ordinary(_framed_bytes(lines))
                in_doubt = True
                self._write(segment, lines)
            except (OSError, SpoolFull) as exc:
                self._give_up(exc)
            else:
                return
        try:
            segment = self._reserve(_framed_bytes(lines))
        except (OSError, SpoolFull) as exc:
            raise RecordsLost(self.why, _problem(exc), in_doubt=in_doubt) from exc
        try:
            self._write(segment, lines)
        except OSError as exc:
            self._leave()
            raise RecordsLost(LossReason.DISK_ERROR, _problem(exc), in_doubt=True) from exc

    def probe(self) -> None:
        """Find out whether an ordinary write would do. `scarce` tells."""
        if self.scarce:
            return
        try:
            self._ordinary(0).probe()
        except (OSError, SpoolFull) as exc:
            self._give_up(exc)

    def check_name(self) -> None:
        """Leave a segment that somebody deleted."""
        try:
            if self._segment is not None:
                self._segment.check_name()
        except OSError as exc:
            self._give_up(exc)

    def make_room(self) -> None:
        """End the scarcity, if there is room again for a reserve and an ordinary segment. Raises OSError, SpoolFull."""
        try:
            self._check_mark(AHEAD_BYTES)
            self._allocate_reserve()
            self.before_next()
            segment = self._new_segment()
        except (OSError, SpoolFull) as exc:
            self.why = _why(exc)
            raise
        self._leave()
        self._segment, self.scarce = segment, False

    def close(self) -> None:
        self._leave()

    def _write(self, segment: OpenSegment, lines: Sequence[bytes]) -> None:
        before = segment.size
        segment.append(lines)
        self._total += segment.size - before

    def _ordinary(self, wanted: int) -> OpenSegment:
        """Return a segment with room for `wanted` bytes below the mark. What is durable stays so if that fails."""
        self._check_mark(wanted)
        segment = self._segment
        if segment is None or segment.size >= self._segment_bytes:
            if segment is not None:
                self.before_next()
            segment = self._new_segment()
            self._leave()
            self._segment = segment
        if segment.room_bytes < wanted:
            segment.allocate(max(wanted, min(AHEAD_BYTES, self._segment_bytes - segment.size)))
        return segment

    def _reserve(self, wanted: int) -> OpenSegment:
        """Return the segment made of the reserve, with room for `wanted` bytes. Raises OSError, SpoolFull."""
        if self._segment is None:
            self.before_next()
            self._number += 1
            reserve = self._directory / "reserve"
            self._segment = OpenSegment.from_reserve(reserve, segment_path(self._directory, self._number))
        if self._segment.room_bytes < wanted:
            raise SpoolFull("the reserve is used up")
        return self._segment

    def _new_segment(self) -> OpenSegment:
        self._number += 1
        segment = OpenSegment.create(segment_path(self._directory, self._number))
        try:
            segment.allocate(min(AHEAD_BYTES, self._segment_bytes))
        except OSError:
            segment.leave()
            with suppress(OSError):
                segment.path.unlink()  # else a full disk would get a file every time it is tried
            raise
        return segment

    def _check_mark(self, wanted: int) -> None:
        if self._total + wanted > self._high_water_bytes:
            # The shipper deletes what is acknowledged, so the sum kept here is an upper bound: count again.
            ahead = 0 if self._segment is None else self._segment.room_bytes
            self._total = size_of(self._directory) - ahead
            if self._total + wanted > self._high_water_bytes:
                raise SpoolFull("records are not being shipped")

    def _allocate_reserve(self) -> None:
        reserve = self._directory / "reserve"
        with suppress(FileNotFoundError):
            found = reserve.stat()
            if found.st_size == self.reserve_bytes <= found.st_blocks * 512:
                return
        unfinished = self._directory / "reserve.tmp"
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            os.posix_fallocate(descriptor, 0, self.reserve_bytes)
            os.fsync(descriptor)
            unfinished.rename(reserve)
            sync_directory(self._directory)
        except OSError:
            with suppress(OSError):
                unfinished.unlink(missing_ok=True)  # what there is room for is wanted for records
            raise
        finally:
            os.close(descriptor)

    def _give_up(self, problem: OSError | SpoolFull) -> None:
        self.scarce, self.why = True, _why(problem)
        self._leave()

    def _leave(self) -> None:
        if self._segment is not None:
            self._segment.leave()
            self._segment = None


def _last_line(segment: Segment, *, cut: bool) -> bytes | None:
    """Return the last line of `segment`; `cut` off what follows it."""
    descriptor = os.open(segment.path, (os.O_RDWR if cut else os.O_RDONLY) | os.O_CLOEXEC)
    try:
        if cut and (whole := whole_bytes(descriptor)) < os.fstat(descriptor).st_size:
            os.ftruncate(descriptor, whole)
            # Else the torn end could be back after a power loss, in a segment that is no longer the last.
            os.fsync(descriptor)
        last = None
        for last, _ in Frames(descriptor, past_damage=True):  # noqa: B007  # the last is what is wanted
            pass
        return last
    finally:
        os.close(descriptor)


def _framed_bytes(lines: Sequence[bytes]) -> int:
    return len(MAGIC) + sum(HEADER.size + len(line) for line in lines)


def _why(exc: OSError | SpoolFull) -> LossReason:
    if isinstance(exc, SpoolFull):
        return LossReason.SPOOL_FULL
    return LossReason.DISK_FULL if exc.errno in _NO_ROOM else LossReason.DISK_ERROR


def _problem(exc: OSError | SpoolFull) -> str:
    return str(exc) if isinstance(exc, SpoolFull) else str(exc.strerror)
