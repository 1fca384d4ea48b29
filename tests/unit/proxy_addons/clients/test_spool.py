# SPDX-License-Identifier: Apache-2.0
import asyncio
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from policies.contracts.record import DecisionRecord
from proxy_addons.clients import segment_writer as writer_module
from proxy_addons.clients import spool as spool_module
from proxy_addons.clients.segments import MAGIC, frame, segments, size_of
from proxy_addons.clients.spool import Spool, SpoolUnavailable
from tests.spools import lines, whole_bytes_of

RECORD = DecisionRecord(envelope=b'{"a":1}', payload=b'{"b":"\xc3\xa9"}')


def open_spool(directory: Path, **options) -> Spool:
    return Spool.open(directory, source_id="node-1/w0", **options)


async def test_a_written_record_is_on_disk_when_write_returns(tmp_path):
    with open_spool(tmp_path) as spool:
        await spool.write(RECORD)
        assert lines(tmp_path) == [RECORD.to_line()]


@pytest.mark.parametrize("text", ["", 'quo"ted\\', "\x00\x1f\x7f\b\f\n\r\t", "é\u2028\U0001f600"])
async def test_a_line_is_canonical(tmp_path, text):
    record = DecisionRecord(envelope=text.encode(), payload=text.encode())
    with open_spool(tmp_path) as spool:
        await spool.write(record)
        assert lines(tmp_path) == [record.to_line()]


async def test_one_write_serves_all_who_wait(tmp_path, monkeypatch):
    writes = []
    real = os.pwrite
    monkeypatch.setattr(spool_module.os, "pwrite", lambda *asked: (writes.append(1), real(*asked))[1])
    with open_spool(tmp_path) as spool:
        await asyncio.gather(*(spool.write(RECORD) for _ in range(500)))
    assert len(lines(tmp_path)) == 500
    assert len(writes) < 50


async def test_records_of_rounds_one_after_the_other_are_written_together(tmp_path, monkeypatch):
    writes = []
    real = os.pwrite
    monkeypatch.setattr(spool_module.os, "pwrite", lambda *asked: (writes.append(1), real(*asked))[1])
    with open_spool(tmp_path) as spool:
        writing = []
        for _ in range(10):
            writing.append(asyncio.ensure_future(spool.write(RECORD)))
            await asyncio.sleep(0)
        await asyncio.gather(*writing)
    assert (len(writes), len(lines(tmp_path))) == (1, 10)


async def test_a_group_that_goes_on_growing_is_not_waited_for(tmp_path):
    with open_spool(tmp_path) as spool:
        first = asyncio.ensure_future(spool.write(RECORD))
        others = []
        async with asyncio.timeout(10):
            while not first.done():
                others.append(asyncio.ensure_future(spool.write(RECORD)))
                await asyncio.sleep(0)
        await asyncio.gather(*others)


async def test_a_segment_is_written_synchronously(tmp_path, monkeypatch):
    flags = []
    real = os.open
    monkeypatch.setattr(spool_module.os, "open", lambda *asked: (flags.append(asked[1]), real(*asked))[1])
    with open_spool(tmp_path) as spool:
        await spool.write(RECORD)
    assert any(given & os.O_DSYNC for given in flags)


async def test_records_written_before_the_loop_ended_are_kept(tmp_path):
    spool = open_spool(tmp_path)
    writing = asyncio.get_running_loop().create_task(spool.write(RECORD))
    await asyncio.sleep(0)  # its group is not handed over yet
    writing.cancel()
    spool.close()
    assert lines(tmp_path) == [RECORD.to_line()]


def test_sequence_is_dense_from_one_and_each_process_has_its_own_boot(tmp_path):
    with open_spool(tmp_path) as spool:
        first = [spool.next_source() for _ in range(3)]
    with open_spool(tmp_path) as spool:
        second = spool.next_source()
    assert [source.seq for source in first] == [1, 2, 3]
    assert {source.id for source in first} == {"node-1/w0"}
    assert second.seq == 1
    assert second.boot_id != first[0].boot_id


async def test_a_segment_that_is_full_is_followed_by_the_next(tmp_path):
    with open_spool(tmp_path, segment_bytes=100) as spool:
        for _ in range(10):
            await spool.write(RECORD)
    assert [segment.number for segment in segments(tmp_path)] == [1, 2, 3, 4, 5]
    assert len(lines(tmp_path)) == 10


@pytest.mark.parametrize("cut", range(1, len(frame(RECORD.to_line()))))
async def test_a_frame_torn_at_any_byte_is_cut_off_at_start(tmp_path, cut):
    with open_spool(tmp_path) as spool:
        await spool.write(RECORD)
    torn = segments(tmp_path)[-1].path
    with torn.open("ab") as file:
        file.write(frame(RECORD.to_line())[:cut])
    with open_spool(tmp_path) as spool:
        await spool.write(RECORD)
    assert torn.stat().st_size == whole_bytes_of(torn) == len(MAGIC + frame(RECORD.to_line()))
    assert lines(tmp_path) == [RECORD.to_line()] * 2


async def test_above_the_mark_nothing_is_taken_until_there_is_room(tmp_path):
    size = len(MAGIC + frame(RECORD.to_line()))
    with open_spool(tmp_path, segment_bytes=size, high_water_bytes=2 * size) as spool:
        await spool.write(RECORD)
        await spool.write(RECORD)
        with pytest.raises(SpoolUnavailable, match="full"):
            await spool.write(RECORD)
        segments(tmp_path)[0].path.unlink()  # as the shipper does once it is acknowledged
        await spool.write(RECORD)


async def test_a_failing_disk_is_reported_and_the_spool_goes_on_in_a_new_segment(tmp_path, monkeypatch):
    with open_spool(tmp_path) as spool:
        await spool.write(RECORD)
        with monkeypatch.context() as patched:

            def fail(*_):
                raise OSError(28, "No space left on device")

            patched.setattr(spool_module.os, "pwrite", fail)
            with pytest.raises(SpoolUnavailable, match="No space left"):
                await spool.write(RECORD)
            assert not spool.writable
        await spool.write(RECORD)
        assert [segment.number for segment in segments(tmp_path)] == [1, 2]
        assert lines(tmp_path) == [RECORD.to_line()] * 2


async def test_a_disk_that_stays_full_is_not_littered(tmp_path, monkeypatch):
    def fail(*_):
        raise OSError(28, "No space left on device")

    with open_spool(tmp_path) as spool:
        await spool.write(RECORD)
        with monkeypatch.context() as patched:
            patched.setattr(spool_module.os, "pwrite", fail)
            for _ in range(20):
                with pytest.raises(SpoolUnavailable):
                    await spool.write(RECORD)
        await spool.write(RECORD)
        # The number grows although the files go: a reader's place in a segment must never mean another one's.
        assert [segment.number for segment in segments(tmp_path)] == [1, 21]
        assert lines(tmp_path) == [RECORD.to_line()] * 2


async def test_a_disk_that_has_room_again_is_noticed_without_a_record(tmp_path, monkeypatch):
    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(spool_module, "_TRIAL_EVERY_S", 0.01)
    tried = threading.Event()

    def fail_and_tell(*_):
        tried.set()
        fail()

    with open_spool(tmp_path) as spool:
        assert spool.writable
        with monkeypatch.context() as patched:
            patched.setattr(spool_module.os, "pwrite", fail)
            with pytest.raises(SpoolUnavailable):
                await spool.write(RECORD)
            patched.setattr(spool_module.os, "pwrite", fail_and_tell)
            assert await asyncio.to_thread(tried.wait, 10)
            assert not spool.writable
        async with asyncio.timeout(10):
            while not spool.writable:
                await asyncio.sleep(0.01)
        await spool.write(RECORD)
    assert lines(tmp_path) == [RECORD.to_line()]


async def test_above_the_mark_a_trial_does_not_say_that_there_is_room(tmp_path, monkeypatch):
    monkeypatch.setattr(spool_module, "_TRIAL_EVERY_S", 0.01)
    looked = threading.Semaphore(0)
    real = size_of
    monkeypatch.setattr(writer_module, "size_of", lambda directory: (looked.release(), real(directory))[1])
    with open_spool(tmp_path, high_water_bytes=len(MAGIC + frame(RECORD.to_line()))) as spool:
        await spool.write(RECORD)
        with pytest.raises(SpoolUnavailable, match="full"):
            await spool.write(RECORD)
        for _ in range(4):
            assert await asyncio.to_thread(looked.acquire, timeout=10)
        assert not spool.writable


def test_a_second_process_does_not_get_the_directory(tmp_path):
    with open_spool(tmp_path), pytest.raises(SpoolUnavailable, match="another process"):
        open_spool(tmp_path)


async def test_a_closed_spool_refuses(tmp_path):
    spool = open_spool(tmp_path)
    spool.close()
    with pytest.raises(SpoolUnavailable, match="closed"):
        await spool.write(RECORD)


async def test_an_oversized_record_is_refused(tmp_path):
    with open_spool(tmp_path) as spool:
        with pytest.raises(SpoolUnavailable, match="more than"):
            await spool.write(DecisionRecord(envelope=b"x" * 2_000_000, payload=b"{}"))
        await spool.write(RECORD)


WRITER = """
import asyncio, sys
from pathlib import Path
from policies.contracts.record import DecisionRecord
from proxy_addons.clients.spool import Spool

async def write():
    spool = Spool.open(Path(sys.argv[1]), source_id="n/w0", segment_bytes=2000)
    while True:
        source = spool.next_source()
        await spool.write(DecisionRecord(envelope=b'{"seq":%d}' % source.seq, payload=b"{}"))
        print(source.seq, flush=True)

asyncio.run(write())
"""


def test_what_was_acknowledged_survives_kill_9(tmp_path):
    writer = subprocess.Popen([sys.executable, "-c", WRITER, tmp_path], stdout=subprocess.PIPE, text=True)
    acknowledged = [int(writer.stdout.readline()) for _ in range(100)]
    writer.send_signal(signal.SIGKILL)
    acknowledged += [int(line) for line in writer.stdout.read().split("\n") if line]
    writer.wait()
    writer.stdout.close()
    with open_spool(tmp_path):  # the dead process's lock is free
        kept = len(lines(tmp_path))
    assert kept >= acknowledged[-1]
