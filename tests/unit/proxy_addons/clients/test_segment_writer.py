# SPDX-License-Identifier: Apache-2.0
import errno
import os
from pathlib import Path

import pytest

from policies.contracts.record import LossReason
from proxy_addons.clients.segment_writer import AHEAD_BYTES, RecordsLost, SegmentWriter, SpoolFull
from proxy_addons.clients.segments import MAGIC, Segment, frame, segments
from tests.spools import lines, whole_bytes_of

LINE = b"a line\n"
ONE = frame(LINE)
RESERVE_BYTES = 64 * 1024


def open_writer(directory: Path, *, segment_bytes: int = 4 * 1024 * 1024, high_water_bytes: int = 2**30):
    writer = SegmentWriter(
        directory, segment_bytes=segment_bytes, high_water_bytes=high_water_bytes, reserve_bytes=RESERVE_BYTES
    )
    writer.make_room()
    return writer


def fail(problem: int):
    def failing(*_, **__):
        raise OSError(problem, os.strerror(problem))

    return failing


def test_zeros_are_written_ahead_so_that_a_write_changes_no_metadata(tmp_path):
    writer, sizes = open_writer(tmp_path), set()
    for _ in range(20):
        writer.append([LINE])
        sizes.add(segments(tmp_path)[0].path.stat().st_size)
    assert (sizes, len(lines(tmp_path))) == ({AHEAD_BYTES}, 20)
    writer.close()
    assert segments(tmp_path)[0].path.stat().st_size == len(MAGIC + 20 * ONE)


def test_room_is_made_before_it_is_used_up(tmp_path):
    writer = open_writer(tmp_path)
    for _ in range(3):
        writer.append([b"x" * 100_000])
    assert segments(tmp_path)[0].path.stat().st_size > 3 * 100_000
    writer.append([b"x" * 500_000, LINE])
    assert len(lines(tmp_path)) == 5


def test_zeros_written_ahead_are_cut_off_when_a_segment_is_left(tmp_path):
    writer = open_writer(tmp_path, segment_bytes=100)
    for _ in range(40):
        writer.append([LINE])
    left = segments(tmp_path)[:-1]
    assert len(left) > 1
    assert [segment.path.stat().st_size for segment in left] == [whole_bytes_of(segment.path) for segment in left]
    writer.close()


def test_a_writer_that_was_killed_leaves_zeros_and_the_next_cuts_them_off(tmp_path):
    open_writer(tmp_path).append([LINE])  # and is never closed
    writer = open_writer(tmp_path)
    assert writer.last_line == LINE
    writer.close()
    assert [segment.path.stat().st_size for segment in segments(tmp_path)] == [len(MAGIC + ONE), 0]


def test_the_last_line_is_found_behind_segments_that_are_empty(tmp_path):
    writer = open_writer(tmp_path)
    writer.append([b"first\n", b"second\n"])
    writer.close()
    for _ in range(2):
        writer = open_writer(tmp_path)
        assert writer.last_line == b"second\n"
        writer.close()


def test_a_segment_that_is_shipped_meanwhile_is_no_hindrance(tmp_path, monkeypatch):
    open_writer(tmp_path).close()
    monkeypatch.setattr(
        "proxy_addons.clients.segment_writer.segments",
        lambda folder: [Segment(0, folder / "shipped"), *segments(folder)],
    )
    writer = open_writer(tmp_path)
    assert writer.last_line is None
    writer.close()


def test_a_short_write_is_gone_on_with(tmp_path, monkeypatch):
    writer = open_writer(tmp_path, segment_bytes=1000)
    real = os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda file, rest, at: real(file, rest[:7], at))
    for _ in range(3):
        writer.append([LINE])
    writer.close()
    assert len(lines(tmp_path)) == 3


def test_the_reserve_is_allocated_once_and_kept(tmp_path):
    writer = open_writer(tmp_path)
    reserve = tmp_path / "reserve"
    found = reserve.stat()
    assert found.st_size == RESERVE_BYTES <= found.st_blocks * 512
    writer.close()
    open_writer(tmp_path).close()
    assert reserve.stat().st_ino == found.st_ino


def test_a_reserve_without_blocks_is_none(tmp_path):
    with (tmp_path / "reserve").open("wb") as file:
        file.truncate(RESERVE_BYTES)
    open_writer(tmp_path).close()
    assert (tmp_path / "reserve").stat().st_blocks * 512 >= RESERVE_BYTES


def test_the_reserve_becomes_the_next_segment_and_another_one_is_made(tmp_path, monkeypatch):
    writer = open_writer(tmp_path)
    writer.append([b"before\n"])
    with monkeypatch.context() as patched:
        real, failures = os.pwrite, [errno.ENOSPC]
        patched.setattr(os, "pwrite", lambda *asked: fail(failures.pop())() if failures else real(*asked))
        writer.append([b"in the reserve\n"])
    assert (writer.scarce, writer.why) == (True, LossReason.DISK_FULL)
    assert not (tmp_path / "reserve").exists()
    writer.append([b"in the reserve, too\n"])
    writer.make_room()
    writer.append([b"after\n"])
    writer.close()
    assert lines(tmp_path) == [b"before\n", b"in the reserve\n", b"in the reserve, too\n", b"after\n"]
    assert [segment.number for segment in segments(tmp_path)] == [1, 2, 3]
    assert (tmp_path / "reserve").exists()


def test_a_reserve_that_is_used_up_says_so_and_what_it_has_stays(tmp_path, monkeypatch):
    writer = open_writer(tmp_path)
    monkeypatch.setattr(writer, "_high_water_bytes", 0)
    writer.append([b"x" * 60_000])
    assert (writer.scarce, writer.why) == (True, LossReason.SPOOL_FULL)
    with pytest.raises(RecordsLost, match="used up") as lost:
        writer.append([b"x" * 60_000])
    assert (lost.value.why, lost.value.in_doubt) == (LossReason.SPOOL_FULL, False)
    assert len(lines(tmp_path)) == 1


@pytest.mark.parametrize(
    ("call", "in_doubt"),
    [
        pytest.param("pwrite", True, id="nobody-knows-what-was-written"),
        pytest.param("open", False, id="nothing-was-written"),
    ],
)
def test_says_whether_the_disk_may_hold_what_is_lost(tmp_path, monkeypatch, call, in_doubt):
    writer = open_writer(tmp_path, segment_bytes=100)
    writer.append([b"x" * 100])
    if call == "pwrite":
        writer.append([LINE])
    monkeypatch.setattr(os, call, fail(errno.EIO))
    with pytest.raises(RecordsLost) as lost:
        writer.append([LINE])
    assert (lost.value.why, lost.value.in_doubt) == (LossReason.DISK_ERROR, in_doubt)


def test_room_is_not_said_to_be_there_before_there_is_a_reserve_again(tmp_path, monkeypatch):
    writer = open_writer(tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr(os, "pwrite", fail(errno.EIO))
        writer.probe()
        assert writer.scarce
    monkeypatch.setattr(os, "posix_fallocate", fail(errno.ENOSPC))
    (tmp_path / "reserve").unlink()
    with pytest.raises(OSError, match="No space left"):
        writer.make_room()
    assert writer.scarce
    assert sorted(path.name for path in tmp_path.iterdir()) == ["00000000000000000001.spool"]


def test_a_probe_writes_no_frame(tmp_path):
    writer = open_writer(tmp_path)
    writer.probe()
    writer.append([LINE])
    writer.probe()
    writer.append([LINE])
    assert not writer.scarce
    assert len(lines(tmp_path)) == 2
    writer.close()
    assert segments(tmp_path)[-1].path.stat().st_size == len(MAGIC + 2 * ONE)


def test_zeros_written_ahead_do_not_count_as_records(tmp_path):
    writer = open_writer(tmp_path, high_water_bytes=AHEAD_BYTES + 3 * len(ONE))
    writer.append([b"x" * (AHEAD_BYTES - 100)])
    writer.append([LINE])
    assert not writer.scarce
    for _ in range(20):
        writer.append([LINE])
    assert (writer.scarce, writer.why) == (True, LossReason.SPOOL_FULL)
    with pytest.raises(SpoolFull):
        writer.make_room()
    writer.close()
    assert len(lines(tmp_path)) == 22
