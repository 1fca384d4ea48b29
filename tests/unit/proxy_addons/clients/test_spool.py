# SPDX-License-Identifier: Apache-2.0
import asyncio
import errno
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from policies.contracts.record import UNNUMBERED, DecisionRecord
from proxy_addons.clients import flusher as flusher_module
from proxy_addons.clients import spool as spool_module
from proxy_addons.clients.segments import segments
from proxy_addons.clients.spool import Spool, SpoolUnavailable
from tests.spools import lines, numbers, of_requests, of_the_source, open_spool, record, whole_bytes_of


@pytest.fixture(autouse=True)
def soon(monkeypatch):
    monkeypatch.setattr(flusher_module, "_TRIAL_EVERY_S", 0.01)
    monkeypatch.setattr(flusher_module, "_NAME_EVERY_S", 0.0)


async def write(spool: Spool, **options) -> None:
    await spool.write(record(spool), **options)


async def written(spool: Spool, **options) -> bool:
    try:
        await spool.write(record(spool, filler="x" * 900), **options)
    except SpoolUnavailable:
        return False
    return True


async def until(holds) -> None:
    async with asyncio.timeout(10):
        while not holds():
            await asyncio.sleep(0.005)


def no_room(*_):
    raise OSError(errno.ENOSPC, "No space left on device")


def fail_the_disk(patched, *, call: str = "pwrite", problem: int = errno.EIO) -> None:
    def fail(*_, **__):
        raise OSError(problem, os.strerror(problem))

    patched.setattr(os, call, fail)


def full_disk(patched) -> None:
    """Let files that are allocated be written to, and nothing be allocated."""
    real = os.pwrite

    def pwrite(file, content, at):
        if at + len(content) > os.fstat(file).st_size:
            no_room()
        return real(file, content, at)

    patched.setattr(os, "pwrite", pwrite)
    patched.setattr(os, "posix_fallocate", no_room)


async def test_a_written_record_is_on_disk_when_write_returns(tmp_path):
    with open_spool(tmp_path) as spool:
        given = record(spool)
        await spool.write(given)
        want = given.to_line().replace(b"%d" % UNNUMBERED, b"2")
        assert want in lines(tmp_path)
        assert numbers(tmp_path) == [1, 2]


@pytest.mark.parametrize(
    "text", ["", 'quo"ted\\', "\x00\x1f\x7f\b\f\n\r\t", "é\u2028\U0001f600", '"seq":9007199254740991}']
)
async def test_a_line_is_canonical_and_only_its_own_number_is_put_in(tmp_path, text):
    with open_spool(tmp_path) as spool:
        given = record(spool, payload=text, a_member=text)
        await spool.write(given)
    [told] = of_requests(tmp_path)
    want = DecisionRecord(given.envelope.replace(b':%d},"time"' % UNNUMBERED, b':2},"time"'), text.encode())
    assert told["a_member"] == text
    assert want.to_line() in lines(tmp_path)


async def test_a_record_of_another_source_is_refused(tmp_path):
    with open_spool(tmp_path) as spool:
        with pytest.raises(ValueError, match="next_source"):
            await spool.write(DecisionRecord(b'{"source":{"seq":1}}', b'"seq":9007199254740991}'))
        await write(spool)


async def test_one_write_serves_all_who_wait(tmp_path, monkeypatch):
    with open_spool(tmp_path) as spool:
        await write(spool)
        writes = []
        real = os.pwrite
        monkeypatch.setattr(os, "pwrite", lambda *asked: (writes.append(1), real(*asked))[1])
        await asyncio.gather(*(write(spool) for _ in range(500)))
    assert len(of_requests(tmp_path)) == 501
    assert len(writes) < 50


async def test_records_of_rounds_one_after_the_other_are_written_together(tmp_path, monkeypatch):
    with open_spool(tmp_path) as spool:
        await write(spool)
        writes = []
        real = os.pwrite
        monkeypatch.setattr(os, "pwrite", lambda *asked: (writes.append(1), real(*asked))[1])
        writing = []
        for _ in range(10):
            writing.append(asyncio.ensure_future(write(spool)))
            await asyncio.sleep(0)
        await asyncio.gather(*writing)
        assert (len(writes), len(of_requests(tmp_path))) == (1, 11)


async def test_a_group_that_goes_on_growing_is_not_waited_for(tmp_path):
    with open_spool(tmp_path) as spool:
        first = asyncio.ensure_future(write(spool))
        others = []
        async with asyncio.timeout(10):
            while not first.done():
                others.append(asyncio.ensure_future(write(spool)))
                await asyncio.sleep(0)
        await asyncio.gather(*others)


async def test_a_segment_is_written_synchronously(tmp_path, monkeypatch):
    flags = []
    real = os.open
    monkeypatch.setattr(os, "open", lambda *asked: (flags.append(asked[1]), real(*asked))[1])
    with open_spool(tmp_path) as spool:
        await write(spool)
    assert any(given & os.O_DSYNC for given in flags)


async def test_records_written_before_the_loop_ended_are_kept(tmp_path):
    spool = open_spool(tmp_path)
    writing = asyncio.get_running_loop().create_task(write(spool))
    await asyncio.sleep(0)  # its group is not handed over yet
    writing.cancel()
    spool.close()
    assert len(of_requests(tmp_path)) == 1


async def test_numbers_are_dense_from_one_and_each_process_has_its_own_boot(tmp_path):
    boots = []
    for _ in range(2):
        with open_spool(tmp_path) as spool:
            await asyncio.gather(*(write(spool) for _ in range(3)))
            boots.append(spool.next_source().boot_id)
    assert numbers(tmp_path) == [1, 2, 3, 4, 5] * 2
    assert len(set(boots)) == 2


async def test_a_segment_that_is_full_is_followed_by_the_next(tmp_path):
    with open_spool(tmp_path, segment_bytes=500) as spool:
        for _ in range(9):
            await write(spool)
    assert len(segments(tmp_path)) > 3
    assert numbers(tmp_path) == list(range(1, 12))


async def test_a_frame_torn_at_any_byte_is_cut_off_at_start(tmp_path):
    with open_spool(tmp_path / "whole") as spool:
        await write(spool)
    [whole] = segments(tmp_path / "whole")
    size = whole.path.stat().st_size
    frame = whole.path.read_bytes()[-300:]
    for cut in range(1, len(frame), 7):
        folder = tmp_path / str(cut)
        shutil.copytree(tmp_path / "whole", folder)
        torn = folder / whole.path.name
        with torn.open("ab") as file:
            file.write(b"\x00\x00\x02" + frame[:cut])
        with open_spool(folder):
            pass
        assert torn.stat().st_size == whole_bytes_of(torn) == size
        assert numbers(folder) == [1, 2, 3, 1, 2]


# ── of the source itself ──


async def test_a_boot_begins_lives_and_ends_with_a_record_of_its_own(tmp_path):
    with open_spool(tmp_path, heartbeat_s=0.02) as spool:
        await write(spool)
        await until(lambda: len(lines(tmp_path)) > 4)
    told = of_the_source(tmp_path)
    assert [told[0]["kind"], told[1]["kind"], told[-1]["kind"]] == ["start", "heartbeat", "stop"]
    assert (told[0]["source"]["seq"], told[0]["version"], told[0]["previous"]) == (1, "1.2.3", None)
    assert (told[-1]["written"], told[-1]["lost"]) == (1, 0)
    assert numbers(tmp_path) == list(range(1, len(told) + 2))


async def test_a_boot_names_the_one_before_and_how_far_it_came(tmp_path):
    for _ in range(2):
        with open_spool(tmp_path) as spool:
            await write(spool)
    first, second = (told for told in of_the_source(tmp_path) if told["kind"] == "start")
    assert second["previous"] == {"boot_id": first["source"]["boot_id"], "seq": 3}


async def test_a_boot_that_was_killed_has_no_stop_and_is_named(tmp_path):
    with open_spool(tmp_path / "w0") as spool:
        await write(spool)
        shutil.copytree(tmp_path / "w0", tmp_path / "w1")  # as a kill leaves it
        killed = spool.next_source().boot_id
    with open_spool(tmp_path / "w1"):
        pass
    told = of_the_source(tmp_path / "w1")
    assert [each["kind"] for each in told] == ["start", "start", "stop"]
    assert told[1]["previous"] == {"boot_id": killed, "seq": 2}


async def test_heartbeats_count_what_is_lost(tmp_path, monkeypatch):
    with open_spool(tmp_path, heartbeat_s=0.02) as spool:
        await write(spool)
        with monkeypatch.context() as patched:
            fail_the_disk(patched)
            fail_the_disk(patched, call="rename")
            with pytest.raises(SpoolUnavailable):
                await write(spool)
        await until(lambda: spool.writable)
        seen = len(lines(tmp_path))
        await until(lambda: len(lines(tmp_path)) > seen + 1)
    assert [(told["written"], told["lost"]) for told in of_the_source(tmp_path) if told["kind"] == "stop"] == [(1, 1)]


async def test_claims_the_numbers_whose_records_are_durable(tmp_path, monkeypatch):
    with open_spool(tmp_path) as spool:
        await write(spool)
        claimed = spool.claim()
        assert claimed == {"id": "node-1/w0", "boot_id": spool.next_source().boot_id, "last_seq": 2}
        with monkeypatch.context() as patched:
            fail_the_disk(patched)
            with pytest.raises(SpoolUnavailable):
                await write(spool)
            assert spool.claim() == claimed
        await until(lambda: spool.writable)


# ── losses ──


async def test_what_was_lost_is_told_once_there_is_room(tmp_path, monkeypatch):
    with open_spool(tmp_path) as spool:
        await write(spool)
        with monkeypatch.context() as patched:
            full_disk(patched)
            patched.setattr(os, "rename", no_room)
            for outcome in ("allow", "deny", "deny"):
                with pytest.raises(SpoolUnavailable):
                    await spool.write(record(spool, outcome=outcome, filler="x" * 300_000))
            assert not spool.writable
        await until(lambda: spool.writable)
        await write(spool)
    [loss] = [told for told in of_the_source(tmp_path) if told["kind"] == "loss"]
    assert (loss["count"], loss["outcomes"], loss["numbers"]) == (3, {"deny": 2, "error_deny": 1}, None)
    assert loss["why"] == {"disk-full": 3}
    assert loss["first_at"] <= loss["last_at"]
    assert numbers(tmp_path) == [1, 2, 3, 4, 5]  # a number is not used up by what is lost


async def test_the_numbers_of_a_write_that_failed_midway_are_given_to_nothing_else(tmp_path, monkeypatch):
    with open_spool(tmp_path) as spool:
        await write(spool)
        await until(lambda: spool.writable)
        with monkeypatch.context() as patched:
            fail_the_disk(patched)
            failed = await asyncio.gather(write(spool), write(spool), return_exceptions=True)
            assert {str(each) for each in failed} == {"the spool cannot be written (Input/output error)"}
        await until(lambda: spool.writable)
        await write(spool)
    [loss] = [told for told in of_the_source(tmp_path) if told["kind"] == "loss"]
    assert (loss["count"], loss["numbers"], loss["why"]) == (2, [[3, 4]], {"disk-error": 2})
    assert numbers(tmp_path) == [1, 2, 5, 6, 7]


async def test_who_does_not_wait_for_the_disk_has_the_record_written_or_counted(tmp_path, monkeypatch):
    with open_spool(tmp_path) as spool:
        spool.post(record(spool))
        await until(lambda: len(of_requests(tmp_path)) == 1)
        with monkeypatch.context() as patched:
            fail_the_disk(patched)
            spool.post(record(spool))
            await until(lambda: spool.losses.total)
        await until(lambda: spool.writable)
        spool.post(record(spool, filler="x" * 2_000_000))
        monkeypatch.setattr(spool_module, "_MOST_QUEUED_BYTES", -1)
        spool.post(record(spool))
        assert spool.losses.total == 3
    losses = [told for told in of_the_source(tmp_path) if told["kind"] == "loss"]
    assert sum(loss["count"] for loss in losses) == 3
    assert {outcome for loss in losses for outcome in loss["outcomes"]} == {"allow"}
    assert {why for loss in losses for why in loss["why"]} == {"disk-error", "too-large", "too-many"}


# ── no room ──


async def test_a_full_disk_is_known_and_the_reserve_takes_what_is_owed(tmp_path, monkeypatch):
    with open_spool(tmp_path, segment_bytes=600) as spool:
        await write(spool)
        with monkeypatch.context() as patched:
            full_disk(patched)
            for _ in range(5):
                await write(spool)
            assert not spool.writable
            assert not await spool.prove()
            assert of_requests(tmp_path)[-1]["source"]["seq"] == 7
        await until(lambda: spool.writable)
        await write(spool)
    assert numbers(tmp_path) == list(range(1, 10))
    assert not [told for told in of_the_source(tmp_path) if told["kind"] == "loss"]


async def test_half_of_the_reserve_is_kept_for_requests_that_were_let_in(tmp_path, monkeypatch):
    with open_spool(tmp_path, segment_bytes=600) as spool:
        await write(spool)
        with monkeypatch.context() as patched:
            full_disk(patched)
            taken = {False: 0, True: 0}
            for admitted in (False, True):
                while await written(spool, admitted=admitted):
                    taken[admitted] += 1
            assert taken[False] == pytest.approx(taken[True], abs=3)
        await until(lambda: spool.writable)
    [loss] = [told for told in of_the_source(tmp_path) if told["kind"] == "loss"]
    assert loss["count"] == 2
    assert numbers(tmp_path) == list(range(1, sum(taken.values()) + 5))


async def test_above_the_mark_the_reserve_is_all_there_is_until_there_is_room(tmp_path):
    with open_spool(tmp_path, segment_bytes=2_000, high_water_bytes=270_000) as spool:
        async with asyncio.timeout(10):
            while spool.writable:
                await spool.write(record(spool, filler="x" * 900))
        await write(spool, admitted=False)
        before = len(lines(tmp_path))
        for segment in segments(tmp_path)[:-1]:
            segment.path.unlink()  # as the shipper does once it is acknowledged
        await until(lambda: spool.writable)
        await write(spool)
    assert before > 200
    assert numbers(tmp_path)[-1] == before + 2


async def test_a_disk_that_is_full_at_the_start_refuses_and_recovers(tmp_path, monkeypatch):
    with monkeypatch.context() as patched:
        full_disk(patched)
        spool = open_spool(tmp_path)
        assert not spool.writable
        assert not await spool.prove()
        with pytest.raises(SpoolUnavailable):
            await write(spool)
    await until(lambda: spool.writable)
    await write(spool)
    spool.close()
    assert [told["kind"] for told in of_the_source(tmp_path)] == ["start", "loss", "stop"]
    assert numbers(tmp_path) == [1, 2, 3, 4]


async def test_the_reserve_of_the_process_before_is_used_on_a_disk_that_is_full(tmp_path, monkeypatch):
    with open_spool(tmp_path) as spool:
        await write(spool)
    with monkeypatch.context() as patched:
        full_disk(patched)
        with open_spool(tmp_path) as spool:
            await write(spool, admitted=False)
            assert not spool.writable
    assert numbers(tmp_path) == [1, 2, 3, 1, 2, 3]


async def test_a_disk_that_stays_full_is_not_littered(tmp_path, monkeypatch):
    with open_spool(tmp_path) as spool:
        await write(spool)
        with monkeypatch.context() as patched:
            full_disk(patched)
            tries = threading.Semaphore(0)
            patched.setattr(os, "posix_fallocate", lambda *_: (tries.release(), no_room()))
            with pytest.raises(SpoolUnavailable):
                await spool.write(record(spool, filler="x" * 300_000))
            for _ in range(10):
                assert await asyncio.to_thread(tries.acquire, timeout=10)
            assert len(list(tmp_path.iterdir())) < 5
        await until(lambda: spool.writable)


# ── what people do to files ──


@pytest.mark.parametrize("what", ["segment", "directory"])
async def test_what_is_deleted_under_a_worker_is_noticed_and_made_anew(tmp_path, what):
    directory = tmp_path / "w0"
    with open_spool(directory) as spool:
        await write(spool)
        if what == "segment":
            segments(directory)[0].path.unlink()
        else:
            shutil.rmtree(directory)
        await write(spool)
        await write(spool)
        assert numbers(directory) == [3, 4]  # the hole is found by whoever gets them
        with pytest.raises(SpoolUnavailable, match="another process"):
            open_spool(directory)


async def test_a_read_only_disk_refuses_and_recovers(tmp_path, monkeypatch):
    with open_spool(tmp_path) as spool:
        await write(spool)
        with monkeypatch.context() as patched:
            for call in ("pwrite", "rename", "open", "unlink", "ftruncate"):
                fail_the_disk(patched, call=call, problem=errno.EROFS)
            with pytest.raises(SpoolUnavailable, match="Read-only"):
                await write(spool)
            assert not await spool.prove()
        await until(lambda: spool.writable)
        await write(spool)
    assert len(of_requests(tmp_path)) == 2


async def test_a_write_that_fails_once_costs_nobody_anything(tmp_path, monkeypatch):
    with open_spool(tmp_path) as spool:
        await write(spool)
        real, failures = os.pwrite, [errno.EIO]

        def fail_once(*asked):
            if failures:
                raise OSError(failures.pop(), "once")
            return real(*asked)

        monkeypatch.setattr(os, "pwrite", fail_once)
        await write(spool)
        await until(lambda: spool.writable)
    assert numbers(tmp_path) == [1, 2, 3, 4]


async def test_a_slow_disk_does_not_stop_the_event_loop(tmp_path, monkeypatch):
    with open_spool(tmp_path) as spool:
        await write(spool)
        real, slow, go_on = os.pwrite, threading.Event(), threading.Event()

        def wait_and_write(*asked):
            slow.set()
            assert go_on.wait(10)
            return real(*asked)

        monkeypatch.setattr(os, "pwrite", wait_and_write)
        writing = asyncio.ensure_future(write(spool))
        assert await asyncio.to_thread(slow.wait, 10)
        began_s = time.monotonic()
        spool.post(record(spool))  # while the disk does not answer
        _ = spool.writable, spool.proved
        await asyncio.sleep(0)
        assert not writing.done()
        assert time.monotonic() - began_s < 5
        go_on.set()
        await writing


async def test_a_look_at_the_disk_is_waited_for_only_when_none_was_lately(tmp_path, monkeypatch):
    with open_spool(tmp_path) as spool:
        await write(spool)
        assert spool.proved
        monkeypatch.setattr(spool_module, "_FRESH_S", -1.0)
        assert not spool.proved
        assert await spool.prove()
        with monkeypatch.context() as patched:
            fail_the_disk(patched)
            assert not await spool.prove()
        await until(lambda: spool.writable)
    assert not spool.losses.total


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
async def test_a_thread_that_ends_unforeseen_leaves_nobody_waiting_and_lets_nobody_in(tmp_path, monkeypatch):
    with open_spool(tmp_path) as spool:
        await write(spool)
        monkeypatch.setattr(spool._flusher._segments, "append", lambda _: 1 / 0)
        with pytest.raises(SpoolUnavailable, match="has ended"):
            await write(spool)
        assert not spool.writable
        assert not await spool.prove()
        with pytest.raises(SpoolUnavailable, match="closed"):
            await write(spool)
        spool.post(record(spool))
        spool._thread.join(10)


def test_a_second_process_does_not_get_the_directory(tmp_path):
    with open_spool(tmp_path), pytest.raises(SpoolUnavailable, match="another process"):
        open_spool(tmp_path)


async def test_a_closed_spool_refuses(tmp_path):
    spool = open_spool(tmp_path)
    spool.close()
    with pytest.raises(SpoolUnavailable, match="closed"):
        await write(spool)
    assert not await spool.prove()


async def test_an_oversized_record_is_refused_and_counted(tmp_path):
    with open_spool(tmp_path) as spool:
        with pytest.raises(SpoolUnavailable, match="more than"):
            await spool.write(record(spool, filler="x" * 2_000_000))
        await write(spool)
    assert [told["why"] for told in of_the_source(tmp_path) if told["kind"] == "loss"] == [{"too-large": 1}]


WRITER = """
import asyncio, sys
from pathlib import Path
from tests.spools import open_spool, record

async def write():
    spool = open_spool(Path(sys.argv[1]), segment_bytes=2000)
    for number in range(10**9):
        await spool.write(record(spool, mine=number))
        print(number, flush=True)

asyncio.run(write())
"""


def test_what_was_acknowledged_survives_kill_9(tmp_path):
    folder = tmp_path / "w0"
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, folder], stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[4]
    )
    acknowledged = [int(writer.stdout.readline()) for _ in range(100)]
    writer.send_signal(signal.SIGKILL)
    acknowledged += [int(line) for line in writer.stdout.read().split("\n") if line]
    writer.wait()
    writer.stdout.close()
    with open_spool(folder):  # the dead process's lock is free
        pass
    kept = [told["mine"] for told in of_requests(folder)]
    assert kept[: len(acknowledged)] == acknowledged
    assert len(kept) <= len(acknowledged) + 1


async def test_who_does_not_wait_can_know_when_it_is_done(tmp_path):
    with open_spool(tmp_path) as spool:
        await spool.post(record(spool))
        assert len(of_requests(tmp_path)) == 1


async def test_others_learn_when_a_segment_follows_on_another(tmp_path):
    seen = []
    with open_spool(tmp_path, segment_bytes=600) as spool:
        spool.before_next_segment(lambda: seen.append(len(segments(tmp_path))))
        for _ in range(6):
            await write(spool)
    assert seen[:2] == [1, 2]
