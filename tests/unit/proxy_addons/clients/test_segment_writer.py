# SPDX-License-Identifier: Apache-2.0
import errno
import os
from pathlib import Path

import pytest

from proxy_addons.clients.segment_writer import AHEAD_BYTES, SegmentWriter, SpoolFull
from proxy_addons.clients.segments import MAGIC, frame, segments
from tests.spools import lines, whole_bytes_of

ONE = frame(b"a line\n")


def open_writer(directory: Path, *, segment_bytes: int = 4 * 1024 * 1024, high_water_bytes: int = 2**30):
    return SegmentWriter(directory, segment_bytes=segment_bytes, high_water_bytes=high_water_bytes)


def count(directory: Path) -> int:
    return len(lines(directory))


def test_zeros_are_written_ahead_so_that_a_write_changes_no_metadata(tmp_path):
    writer, sizes = open_writer(tmp_path), set()
    for _ in range(20):
        writer.append(ONE)
        sizes.add(segments(tmp_path)[0].path.stat().st_size)
    assert (sizes, count(tmp_path)) == ({len(MAGIC + ONE) + AHEAD_BYTES}, 20)
    writer.close()
    assert segments(tmp_path)[0].path.stat().st_size == len(MAGIC + 20 * ONE)


def test_zeros_written_ahead_are_cut_off_when_a_segment_is_left(tmp_path):
    writer = open_writer(tmp_path, segment_bytes=100)
    for _ in range(40):
        writer.append(ONE)
    left = segments(tmp_path)[:-1]
    assert len(left) > 1
    assert [segment.path.stat().st_size for segment in left] == [whole_bytes_of(segment.path) for segment in left]
    writer.close()


def test_a_writer_that_was_killed_leaves_zeros_and_the_next_cuts_them_off(tmp_path):
    open_writer(tmp_path).append(ONE)  # and is never closed
    open_writer(tmp_path).close()
    assert [segment.path.stat().st_size for segment in segments(tmp_path)] == [len(MAGIC + ONE)]


def test_a_short_write_is_gone_on_with(tmp_path, monkeypatch):
    real = os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda file, rest, at: real(file, rest[:7], at))
    writer = open_writer(tmp_path, segment_bytes=1000)
    for _ in range(3):
        writer.append(ONE)
    writer.close()
    assert count(tmp_path) == 3


def test_a_disk_with_room_for_the_records_but_not_for_zeros_takes_the_records(tmp_path, monkeypatch):
    room, real = len(MAGIC + 5 * ONE), os.pwrite

    def little_room(file, rest, at):
        if at >= room:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(file, rest[: room - at], at)

    monkeypatch.setattr(os, "pwrite", little_room)
    writer = open_writer(tmp_path)
    for _ in range(5):
        writer.append(ONE)
    with pytest.raises(OSError, match="No space left"):
        writer.append(ONE)
    assert count(tmp_path) == 5
    with pytest.raises(OSError, match="No space left"):
        writer.append(b"")  # a trial wants room for more than one record
    writer.close()


def test_a_trial_writes_no_frame(tmp_path):
    writer = open_writer(tmp_path)
    writer.append(b"")
    writer.append(ONE)
    writer.append(b"")
    writer.append(ONE)
    assert count(tmp_path) == 2
    writer.close()
    assert segments(tmp_path)[-1].path.stat().st_size == len(MAGIC + 2 * ONE)


def test_zeros_written_ahead_do_not_count_as_records(tmp_path):
    writer = open_writer(tmp_path, high_water_bytes=len(MAGIC + 3 * ONE))
    for _ in range(3):
        writer.append(ONE)
    with pytest.raises(SpoolFull):
        writer.append(ONE)
    writer.close()
