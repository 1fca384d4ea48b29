# SPDX-License-Identifier: Apache-2.0
import json
import os
import shutil
from pathlib import Path

import pytest

from proxy_addons.clients.segments import MAGIC, frame, segments
from proxy_addons.node.spool_reader import SpoolReader
from tests.spools import open_spool, write_segment

OLD_SPOOL = Path(__file__).parents[3] / "fixtures" / "spool-crc32"


def line(number: int) -> bytes:
    return b'{"envelope":"%d","payload":""}\n' % number


def drain(reader: SpoolReader, **limits) -> list[int]:
    found = []
    while (batch := reader.read_batch(**{"max_lines": 1000, "max_bytes": 1_000_000} | limits)) is not None:
        found += [json.loads(json.loads(each)["envelope"]) for each in batch.lines]
        reader.acknowledge(batch)
    return found


@pytest.fixture
def old_spool(tmp_path) -> Path:
    shutil.copytree(OLD_SPOOL, tmp_path / "w0")
    return tmp_path / "w0"


@pytest.mark.parametrize("ahead", [0, 300_000], ids=["left", "killed"])
async def test_segments_of_the_version_with_crc_32_are_read_after_an_upgrade(old_spool, ahead):
    with segments(old_spool)[-1].path.open("ab") as file:
        file.write(bytes(ahead))
    reader = SpoolReader(old_spool)
    first = reader.read_batch(max_lines=2, max_bytes=1_000_000)
    reader.acknowledge(first)
    with open_spool(old_spool):
        pass
    rest = drain(SpoolReader(old_spool))  # the new node's, from where the old one stood
    found = [json.loads(json.loads(each)["envelope"]) for each in first.lines] + rest
    assert [envelope["record_id"][-1] for envelope in found[:6]] == ["1", "2", "3", "4", "5", "6"]
    assert [envelope["source"]["seq"] for envelope in found] == [1, 2, 3, 1, 2, 3, 1, 2]
    assert [envelope["kind"] for envelope in found[6:]] == ["start", "stop"]
    assert found[6]["previous"] == {"boot_id": found[5]["source"]["boot_id"], "seq": 3}
    assert not list(old_spool.glob("*.corrupt"))


def test_a_flipped_bit_costs_one_record_and_the_segment_is_kept(tmp_path):
    damaged = write_segment(tmp_path, 1, map(line, range(6)))
    content = bytearray(damaged.read_bytes())
    content[len(MAGIC) + 2 * len(frame(line(0))) + 20] ^= 4
    damaged.write_bytes(content)
    write_segment(tmp_path, 2, [line(6)])
    reader = SpoolReader(tmp_path)
    assert drain(reader, max_lines=1) == [0, 1, 3, 4, 5, 6]
    assert reader.corrupt_count == 1
    assert [path.read_bytes() for path in tmp_path.glob("*.corrupt")] == [content]
    assert [segment.number for segment in segments(tmp_path)] == [2]


def test_a_truncated_segment_costs_what_was_cut_off(tmp_path):
    cut = write_segment(tmp_path, 1, map(line, range(6)))
    os.truncate(cut, cut.stat().st_size - 5)
    write_segment(tmp_path, 2, [line(6)])
    reader = SpoolReader(tmp_path)
    assert drain(reader) == [0, 1, 2, 3, 4, 6]
    assert reader.corrupt_count == 1


def test_a_deleted_segment_is_passed_over(tmp_path):
    for number in (1, 2, 3):
        write_segment(tmp_path, number, [line(number)])
    reader = SpoolReader(tmp_path)
    reader.acknowledge(reader.read_batch(max_lines=1, max_bytes=1000))
    segments(tmp_path)[1].path.unlink()
    assert drain(reader) == [3]


def test_segments_below_the_position_are_sent(tmp_path):
    write_segment(tmp_path, 9, [line(9)])
    reader = SpoolReader(tmp_path)
    assert drain(reader) == [9]
    segments(tmp_path)[0].path.unlink()  # somebody emptied the directory, and the writer began with 1 again
    write_segment(tmp_path, 1, [line(1)])
    assert drain(reader) == [1]
    write_segment(tmp_path, 2, [line(2)])
    assert drain(SpoolReader(tmp_path)) == [2]


def test_a_segment_that_cannot_be_deleted_is_not_sent_again(tmp_path, monkeypatch):
    for number in (1, 2, 3):
        write_segment(tmp_path, number, [line(number)])
    reader = SpoolReader(tmp_path)

    def fail(*_, **__):
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patched:
        patched.setattr(os, "unlink", fail)
        assert drain(reader, max_lines=1) == [1, 2, 3]
    assert len(segments(tmp_path)) == 3
    write_segment(tmp_path, 4, [line(4)])
    assert drain(reader) == [4]
    assert [segment.number for segment in segments(tmp_path)] == [4]
