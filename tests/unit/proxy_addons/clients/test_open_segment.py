# SPDX-License-Identifier: Apache-2.0
import errno
import os

import pytest

from proxy_addons.clients.open_segment import OpenSegment
from proxy_addons.clients.segments import MAGIC, frame
from tests.spools import read_frames

LINES = [b"one\n", b"two\n"]


def test_a_segment_begins_with_its_form_and_then_has_frames(tmp_path):
    segment = OpenSegment.create(tmp_path / "s")
    assert segment.path.read_bytes() == b""
    segment.append(LINES)
    segment.append(LINES[:1])
    assert segment.path.read_bytes() == MAGIC + b"".join(map(frame, [*LINES, LINES[0]]))
    segment.leave()


def test_what_is_there_is_not_written_to(tmp_path):
    (tmp_path / "s").touch()
    with pytest.raises(FileExistsError):
        OpenSegment.create(tmp_path / "s")


def test_a_segment_whose_name_may_be_lost_is_none(tmp_path, monkeypatch):
    def fail(*_):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="Input/output"):
        OpenSegment.create(tmp_path / "s")
    assert not (tmp_path / "s").exists()


def test_room_that_is_allocated_is_cut_off_when_it_is_left(tmp_path):
    segment = OpenSegment.create(tmp_path / "s")
    segment.allocate(10_000)
    segment.append(LINES)
    assert segment.room_bytes == 10_000 - segment.size
    segment.probe()
    assert [line for line, _ in read_frames(segment.path)[0]] == LINES
    segment.leave()
    assert segment.path.stat().st_size == segment.size


def test_a_reserve_becomes_a_segment_with_all_its_room(tmp_path):
    (tmp_path / "reserve").write_bytes(bytes(5_000))
    segment = OpenSegment.from_reserve(tmp_path / "reserve", tmp_path / "s")
    assert (segment.room_bytes, (tmp_path / "reserve").exists()) == (5_000, False)
    segment.append(LINES)
    assert segment.path.stat().st_size == 5_000
    segment.leave()


def test_a_write_that_failed_is_cut_off(tmp_path, monkeypatch):
    segment = OpenSegment.create(tmp_path / "s")
    segment.append(LINES)
    real, calls = os.pwrite, []

    def half(file, rest, at):
        if calls:
            raise OSError(errno.EIO, "Input/output error")
        calls.append(at)
        return real(file, rest[:20], at)

    with monkeypatch.context() as patched:
        patched.setattr(os, "pwrite", half)
        with pytest.raises(OSError, match="Input/output"):
            segment.append([b"x" * 100])
    assert segment.path.stat().st_size > segment.size
    segment._allocated = segment.path.stat().st_size
    segment.leave()
    assert read_frames(segment.path) == (read_frames(segment.path)[0][:2], None)


def test_a_deleted_segment_is_noticed(tmp_path):
    segment = OpenSegment.create(tmp_path / "s")
    segment.check_name()
    segment.path.unlink()
    for look in (segment.check_name, segment.probe):
        with pytest.raises(FileNotFoundError):
            look()
    segment.leave()
