# SPDX-License-Identifier: Apache-2.0
import itertools
import json
import os
from datetime import UTC, datetime, timedelta

import pytest

from proxy_addons.clients import segments
from proxy_addons.clients.lost_requests import Stamps, find_lost, settle
from proxy_addons.clients.open_requests import OpenRequests, tables_left
from proxy_addons.clients.spool import Spool, SpoolUnavailable
from proxy_addons.core.lost_request import Noting
from proxy_addons.node.spool_reader import SpoolReader
from tests.records import make_record
from tests.spools import open_spool, source_scope, unnumbered
from tests.unit.proxy_addons.core.test_record_builder import SCOPE, exchange

NOW = datetime.now(UTC)


@pytest.fixture
def directory(tmp_path):
    return tmp_path / "w0"


async def write(directory, *records):
    with open_spool(directory) as spool:
        for record in records:
            await spool.write(unnumbered(record))


def leave_open(directory, *request_ids, boot="dead"):
    directory.mkdir(exist_ok=True)
    table, noting = OpenRequests.create(directory, boot=boot), Noting(SCOPE)
    for request_id in request_ids:
        table.begin(request_id, noting.begun(exchange(request_id=request_id, received_at=NOW), "POST"))
    table.close()


async def settled(directory) -> int:
    ids = itertools.count(1)
    stamps = Stamps(
        clock=lambda: NOW + timedelta(seconds=1), new_id=lambda: f"rec_{next(ids)}", new_salt=lambda: "5a" * 16
    )
    with Spool.hold(directory, source_scope()) as spool:
        return await settle(directory, spool, scope=SCOPE, stamps=stamps)


def terminals(directory) -> list[tuple[str, list[str]]]:
    batch = SpoolReader(directory).read_batch(max_lines=1000, max_bytes=10**7)
    envelopes = [json.loads(json.loads(line)["envelope"]) for line in batch.lines] if batch else []
    return [
        (each["request_id"], [reason["code"] for reason in each["reasons"]])
        for each in envelopes
        if each["kind"] == "terminal"
    ]


async def test_each_request_that_a_dead_process_left_has_one_record(directory):
    leave_open(directory, "req_1", "req_2")
    leave_open(directory, "req_3", boot="another")
    assert await settled(directory) == 3
    assert sorted(terminals(directory)) == [(f"req_{number}", ["worker-lost"]) for number in (1, 2, 3)]
    assert tables_left(directory) == []
    assert await settled(directory) == 0
    assert len(terminals(directory)) == 3


async def test_a_request_whose_record_was_durable_before_its_cell_was_freed_has_no_second(directory):
    await write(directory, make_record(seq=1, request_id="req_1"))
    leave_open(directory, "req_1", "req_2")
    assert await settled(directory) == 1
    assert terminals(directory) == [("req_1", []), ("req_2", ["worker-lost"])]


async def test_a_death_while_it_is_done_has_it_done_once(directory, monkeypatch):
    leave_open(directory, "req_1", "req_2")
    write = Spool.write

    async def fails_at_the_second(spool, record, **options):
        if b"req_2" in record.envelope:
            raise SpoolUnavailable("killed")
        await write(spool, record, **options)

    with monkeypatch.context() as patched:
        patched.setattr(Spool, "write", fails_at_the_second)
        with pytest.raises(SpoolUnavailable):
            await settled(directory)
    assert await settled(directory) == 1
    assert terminals(directory) == [("req_1", ["worker-lost"]), ("req_2", ["worker-lost"])]


async def test_an_admission_that_a_loss_of_power_took_out_of_the_table_is_found_in_the_spool(directory):
    await write(
        directory,
        make_record(seq=1, request_id="req_1", kind="admission"),
        make_record(seq=2, request_id="req_2", kind="admission"),
        make_record(seq=3, request_id="req_1"),
    )
    leave_open(directory)  # nothing in it, and gone in order
    assert await settled(directory) == 0
    (directory / "dead.open").write_bytes(bytes(4096))
    assert await settled(directory) == 1
    assert terminals(directory) == [("req_1", []), ("req_2", ["worker-lost"])]


async def test_nothing_is_written_before_all_segments_are_read(directory, monkeypatch):
    await write(directory, make_record(seq=1, request_id="req_1"))
    leave_open(directory, "req_1")
    before = []
    find = find_lost
    monkeypatch.setattr(
        "proxy_addons.clients.lost_requests.find_lost",
        lambda *asked: (before.append(len(segments.segments(directory))), find(*asked))[1],
    )
    assert await settled(directory) == 0
    assert before == [1]  # else it could be shipped and gone


async def test_segments_that_are_older_than_what_is_open_are_not_read(directory, monkeypatch):
    for number in range(5):
        await write(directory, make_record(seq=number + 1, request_id=f"req_{number}"))
    for segment in segments.segments(directory)[:3]:
        os.utime(segment.path, (0, 0))
    leave_open(directory, "req_9", "req_4")
    opened = []
    monkeypatch.setattr(
        "proxy_addons.clients.lost_requests._envelopes", lambda segment: opened.append(segment.number) or ()
    )
    await settled(directory)
    assert opened == [4, 5]


async def test_a_part_that_is_no_note_is_passed_over(directory):
    directory.mkdir()
    table = OpenRequests.create(directory, boot="odd")
    table.begin("x", b"what is this")
    table.close()
    assert await settled(directory) == 0
    assert tables_left(directory) == []
