# SPDX-License-Identifier: Apache-2.0
import asyncio
import json
from datetime import UTC, datetime

import pytest

from policies.contracts.record import DecisionRecord
from proxy_addons.clients.control_plane import ControlPlane, ControlPlaneUnavailable
from proxy_addons.clients.segments import frame, segments
from proxy_addons.node import shipper as shipper_module
from proxy_addons.node.follow import Backoff
from proxy_addons.node.shipper import Shipper
from proxy_addons.node.spool_reader import SpoolReader
from tests import spools
from tests.fake_control_plane import AGENT_TOKEN, FakeControlPlane


def record(number: int) -> DecisionRecord:
    envelope = {
        "source": {"id": "node-1/w0", "boot_id": "b", "seq": number},
        "time": "2026-11-20T18:00:00.000000Z",
    }
    return DecisionRecord(envelope=json.dumps(envelope).encode(), payload=b"{}")


def write_segment(directory, number: int, records: list[int], rest: bytes = b"") -> None:
    spools.write_segment(directory, number, (record(seq).to_line() for seq in records), rest)


def numbers(lines) -> list[int]:
    return [json.loads(json.loads(line)["envelope"])["source"]["seq"] for line in lines]


def read(reader: SpoolReader, max_lines: int = 1000, max_bytes: int = 1_000_000):
    return reader.read_batch(max_lines=max_lines, max_bytes=max_bytes)


def drain(reader: SpoolReader, **limits) -> list[list[int]]:
    batches = []
    while (batch := read(reader, **limits)) is not None:
        batches.append(numbers(batch.lines))
        reader.acknowledge(batch)
    return batches


@pytest.fixture
async def control_plane(tmp_path):
    fake = FakeControlPlane()
    await fake.start()
    yield fake
    await fake.stop()


@pytest.fixture
async def client(control_plane, tmp_path):
    token = tmp_path / "token"
    token.write_text(AGENT_TOKEN)
    async with ControlPlane.connect(control_plane.url, environment="production", token_file=token) as client:
        yield client


def test_reads_all_segments_in_order(tmp_path):
    write_segment(tmp_path, 9, [3])
    write_segment(tmp_path, 10, [4, 5])
    assert drain(SpoolReader(tmp_path)) == [[3, 4, 5]]


def test_batches_are_limited_by_lines(tmp_path):
    write_segment(tmp_path, 1, [1, 2, 3])
    write_segment(tmp_path, 2, [4, 5])
    assert drain(SpoolReader(tmp_path), max_lines=2) == [[1, 2], [3, 4], [5]]


def test_batches_are_limited_by_bytes_but_never_empty(tmp_path):
    write_segment(tmp_path, 1, [1, 2, 3])
    size = len(record(1).to_line())
    assert drain(SpoolReader(tmp_path), max_bytes=2 * size) == [[1, 2], [3]]
    write_segment(tmp_path, 2, [4])
    assert drain(SpoolReader(tmp_path), max_bytes=1) == [[4]]


def test_what_is_not_acknowledged_is_read_again_also_after_a_restart(tmp_path):
    write_segment(tmp_path, 1, [1, 2, 3])
    reader = SpoolReader(tmp_path)
    first = read(reader, max_lines=1)
    assert numbers(first.lines) == numbers(read(reader, max_lines=1).lines) == [1]
    reader.acknowledge(first)
    assert drain(SpoolReader(tmp_path)) == [[2, 3]]


def test_a_position_that_cannot_be_written_does_not_keep_acknowledged_segments(tmp_path, monkeypatch):
    write_segment(tmp_path, 1, [1, 2])
    write_segment(tmp_path, 2, [])
    reader = SpoolReader(tmp_path)

    def fail(*_, **__):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(type(tmp_path), "write_text", fail)
        assert drain(reader) == [[1, 2]]
    assert [segment.number for segment in segments(tmp_path)] == [2]
    write_segment(tmp_path, 2, [3])
    assert drain(reader) == [[3]]
    write_segment(tmp_path, 3, [4])
    assert drain(SpoolReader(tmp_path)) == [[4]]


def test_a_segment_goes_when_acknowledged_but_never_the_last(tmp_path):
    for number in (1, 2, 3):
        write_segment(tmp_path, number, [number])
    drain(SpoolReader(tmp_path))
    assert [segment.number for segment in segments(tmp_path)] == [3]


@pytest.mark.parametrize("zeros", [1, 8, 300_000])
def test_zeros_written_ahead_end_a_segment(tmp_path, zeros):
    write_segment(tmp_path, 1, [1], bytes(zeros))
    reader = SpoolReader(tmp_path)
    assert drain(reader) == [[1]]
    assert reader.count_pending() == 0
    write_segment(tmp_path, 2, [2])
    assert drain(reader) == [[2]]
    assert reader.corrupt_count == 0


@pytest.mark.parametrize(
    "rest",
    [
        pytest.param(frame(record(9).to_line())[:-3], id="torn"),
        pytest.param(frame(record(9).to_line())[:-3] + b"xyz", id="altered"),
        pytest.param(bytes(64) + b"x", id="zeros-and-more"),
    ],
)
def test_a_broken_frame_is_waited_for_in_the_last_segment_and_set_aside_in_another(tmp_path, rest):
    write_segment(tmp_path, 1, [1], rest)
    reader = SpoolReader(tmp_path)
    assert drain(reader) == [[1]]
    assert reader.corrupt_count == 0
    write_segment(tmp_path, 2, [2])
    assert drain(reader) == [[2]]
    assert reader.corrupt_count == 1
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".corrupt", ".json", ".spool"]
    assert reader.count_pending() == 0


def test_a_frame_that_is_completed_later_is_sent_whole(tmp_path):
    write_segment(tmp_path, 1, [], frame(record(1).to_line())[:20])
    reader = SpoolReader(tmp_path)
    assert read(reader).lines == ()
    write_segment(tmp_path, 1, [1])
    assert drain(reader) == [[1]]


@pytest.mark.parametrize(
    "content",
    ["", "[]", '[1,"x"]', "[7,0]", "[1,-1]", "[1,100000]", "[1,50]", "[0,0]", "[2,0]", f"[1,{10**30}]", "not json"],
)
def test_a_lost_position_sends_everything_again(tmp_path, content):
    write_segment(tmp_path, 1, [1])
    (tmp_path / "position.json").write_text(content)
    assert drain(SpoolReader(tmp_path)) == [[1]]


def test_counts_what_is_pending(tmp_path):
    write_segment(tmp_path, 1, [1, 2, 3])
    write_segment(tmp_path, 2, [4])
    reader = SpoolReader(tmp_path)
    assert reader.count_pending() == reader.count_pending() == 4
    assert reader.oldest_s(datetime(2026, 11, 20, 18, 0, 30, tzinfo=UTC)) == 30
    reader.acknowledge(read(reader, max_lines=3))
    assert reader.count_pending() == 1
    write_segment(tmp_path, 3, [5, 6])
    assert reader.count_pending() == 3
    drain(reader)
    assert reader.count_pending() == 0
    assert reader.oldest_s(datetime(2026, 11, 20, 18, 0, 30, tzinfo=UTC)) == 0


async def test_ships_what_is_written_and_once(tmp_path, control_plane, client):
    shipper = Shipper(tmp_path / "spool", client)
    running = asyncio.create_task(shipper.run())
    with spools.open_spool(tmp_path / "spool" / "w0") as spool:
        for _ in range(5):
            await spool.write(spools.record(spool))
            await asyncio.sleep(0.05)
        async with asyncio.timeout(5):
            while shipper.depth.shipped < 6:
                await asyncio.sleep(0.02)
    running.cancel()
    assert [seq for _, _, seq in control_plane.identities()] == [2, 3, 4, 5, 6]
    assert len(control_plane.of_sources) == 1


@pytest.mark.parametrize(
    ("limits", "want"),
    [
        pytest.param({}, False, id="everything-was-read"),
        pytest.param({"max_lines": 2}, True, id="ended-by-lines"),
        pytest.param({"max_bytes": 1}, True, id="ended-by-bytes"),
    ],
)
def test_a_batch_says_whether_a_limit_ended_it(tmp_path, limits, want):
    write_segment(tmp_path, 1, [1, 2, 3])
    assert read(SpoolReader(tmp_path), **limits).full is want


async def test_a_round_goes_on_at_once_only_where_a_batch_was_full(tmp_path, control_plane, client, monkeypatch):
    monkeypatch.setattr(shipper_module, "_MAX_LINES", 2)
    write_segment(tmp_path / "spool" / "w0", 1, [1, 2, 3])
    shipper = Shipper(tmp_path / "spool", client)
    assert [(await shipper._ship_round()).name for _ in range(3)] == ["FULL", "SOME", "EMPTY"]
    assert len(control_plane.requests) == 2


async def test_records_gather_after_a_round_that_found_some(tmp_path, control_plane, client, monkeypatch):
    monkeypatch.setattr(shipper_module, "_LOOK_EVERY_S", 0)
    monkeypatch.setattr(shipper_module, "_GATHER_S", 60)
    shipper = Shipper(tmp_path / "spool", client)
    running = asyncio.create_task(shipper.run())
    await asyncio.sleep(0.05)  # rounds without a find
    write_segment(tmp_path / "spool" / "w0", 1, [1])
    async with asyncio.timeout(5):
        while shipper.depth.shipped < 1:
            await asyncio.sleep(0.02)
    write_segment(tmp_path / "spool" / "w0", 2, [2])
    await asyncio.sleep(0.2)
    running.cancel()
    assert (shipper.depth.shipped, len(control_plane.requests)) == (1, 1)


async def test_more_than_a_batch_is_shipped_without_a_pause(tmp_path, control_plane, client, monkeypatch):
    monkeypatch.setattr(shipper_module, "_LOOK_EVERY_S", 60)
    monkeypatch.setattr(shipper_module, "_GATHER_S", 60)
    monkeypatch.setattr(shipper_module, "_MAX_LINES", 2)
    write_segment(tmp_path / "spool" / "w0", 1, [1, 2, 3, 4, 5])
    shipper = Shipper(tmp_path / "spool", client)
    running = asyncio.create_task(shipper.run())
    async with asyncio.timeout(5):
        while shipper.depth.shipped < 5:
            await asyncio.sleep(0.02)
    running.cancel()


async def test_an_outage_delays_and_loses_nothing(tmp_path, control_plane, client):
    for slot in ("w0", "w1"):
        write_segment(tmp_path / "spool" / slot, 1, [1, 2])
    control_plane.failing = True
    shipper = Shipper(tmp_path / "spool", client)
    running = asyncio.create_task(shipper.run())
    async with asyncio.timeout(5):
        while not control_plane.requests:
            await asyncio.sleep(0.02)
        while shipper.depth.records != 4:
            await asyncio.sleep(0.02)
    assert shipper.depth.oldest_s > 0
    control_plane.failing = False
    async with asyncio.timeout(5):
        while shipper.depth.shipped < 4:
            await asyncio.sleep(0.02)
    running.cancel()
    assert len(control_plane.records) == 4


async def test_finish_gives_up_in_time_and_leaves_the_rest_on_disk(tmp_path, control_plane, client):
    write_segment(tmp_path / "spool" / "w0", 1, [1])
    control_plane.failing = True
    await Shipper(tmp_path / "spool", client).finish(1.0)
    assert drain(SpoolReader(tmp_path / "spool" / "w0")) == [[1]]


class Answers:
    """A client that answers with one problem after the other, then takes everything."""

    def __init__(self, *problems: ControlPlaneUnavailable) -> None:
        self.problems = list(problems)
        self.taken: list[bytes] = []

    async def append_records(self, lines: bytes) -> None:
        if self.problems:
            raise self.problems.pop(0)
        self.taken.append(lines)


@pytest.mark.parametrize(
    ("retry_after_s", "chance", "want"),
    [(None, 1.0, 0.1), (0.0, 1.0, 0.1), (8.0, 0.0, 8.0), (8.0, 1.0, 10.0)],
)
def test_waits_as_long_as_it_is_asked_to_and_some_more(tmp_path, retry_after_s, chance, want):
    shipper = Shipper(tmp_path, Answers(), chance=lambda: chance)
    shipper._backoff = Backoff(chance=lambda: 1.0)
    assert shipper._wait_s(ControlPlaneUnavailable("status 429", status=429, retry_after_s=retry_after_s)) == want


@pytest.mark.parametrize(("status", "lasting"), [(401, True), (403, True), (404, True), (429, False), (503, False)])
async def test_a_refusal_that_does_not_pass_by_itself_is_said_loudly_and_waited_for(
    tmp_path, monkeypatch, capsys, status, lasting
):
    monkeypatch.setattr(Shipper, "_wait_s", lambda *_: 0.02)
    write_segment(tmp_path / "spool" / "w0", 1, [1])
    told = Answers(*[ControlPlaneUnavailable(f"status {status}", status=status)] * 3)
    shipper = Shipper(tmp_path / "spool", told)
    running = asyncio.create_task(shipper.run())
    seen = set()
    async with asyncio.timeout(5):
        while shipper.depth.shipped < 1:
            seen.add(shipper.depth.refused)
            await asyncio.sleep(0.005)
    running.cancel()
    assert (lasting in seen, shipper.depth.refused) == (True, False)
    said = capsys.readouterr().out
    assert said.count("records_refused") == (1 if lasting else 0)
    assert said.count("records_not_shipped") == (0 if lasting else 1)


async def test_a_spool_that_cannot_be_read_keeps_no_other_waiting(tmp_path, monkeypatch):
    for slot in ("w0", "w1"):
        write_segment(tmp_path / "spool" / slot, 1, [1])
    read_batch = SpoolReader.read_batch

    def broken(reader, **limits):
        if reader._directory.name == "w0":
            raise OSError(5, "Input/output error")
        return read_batch(reader, **limits)

    monkeypatch.setattr(SpoolReader, "read_batch", broken)
    told = Answers()
    shipper = Shipper(tmp_path / "spool", told)
    await shipper._ship_round()
    assert (len(told.taken), shipper.depth.shipped) == (1, 1)


async def test_what_the_control_plane_refuses_for_itself_is_set_aside_and_counted(tmp_path, monkeypatch):
    write_segment(tmp_path / "spool" / "w0", 1, [1, 2])

    class Refuses(Answers):
        async def append_records(self, lines: bytes) -> None:
            if b'\\"seq\\": 1' in lines:
                raise ControlPlaneUnavailable("status 400", status=400)
            await super().append_records(lines)

    shipper = Shipper(tmp_path / "spool", Refuses())
    await shipper._ship_round()
    await shipper._measure()
    assert (shipper.depth.shipped, shipper.depth.set_aside, shipper.depth.records) == (2, 1, 0)
    assert drain(SpoolReader(tmp_path / "spool" / "w0")) == []
