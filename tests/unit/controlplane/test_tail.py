# SPDX-License-Identifier: Apache-2.0
import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import httpx
import pytest

from controlplane.edge import Watch, create_edge
from controlplane.services.access import hash_token
from controlplane.tail import MOST_OF_ONE
from tests.control_planes import TOKENS, make_plane, sqlite_url
from tests.records import make_record


@pytest.fixture
def under_test(tmp_path):
    return make_plane(sqlite_url(tmp_path))


@asynccontextmanager
async def served(under_test) -> AsyncIterator[tuple[httpx.AsyncClient, Watch]]:
    watch = Watch(under_test.plane)
    edge = create_edge(under_test.plane, under_test.app, watch)
    async with (
        edge.router.lifespan_context(edge),
        httpx.AsyncClient(transport=httpx.ASGITransport(edge), base_url="http://gatehouse.test", timeout=30) as client,
    ):
        yield client, watch


async def follow(client, query="", *, last=None, role="auditor"):
    """Read a whole stream, which this transport gives at its end."""
    headers = {"Authorization": f"Bearer {TOKENS[role]}"} | ({} if last is None else {"Last-Event-ID": last})
    return await client.get(f"/v1/decisions:tail?{query}", headers=headers)


def decisions(answer):
    assert answer.status_code == 200, answer.text
    blocks = [dict(line.split(": ", 1) for line in block.splitlines()) for block in answer.text.split("\n\n") if block]
    return [(int(block["id"]), json.loads(block["data"])) for block in blocks if block.get("event") == "decision"]


async def test_what_arrives_is_told_once_and_again_when_it_has_ended(under_test):
    under_test.ingest(make_record(seq=1))
    async with served(under_test) as (client, _):
        following = asyncio.create_task(follow(client, "max_s=2"))
        await asyncio.sleep(0.5)
        records = (
            make_record(seq=2, request_id="req_1", kind="admission"),
            make_record(seq=3, request_id="req_2", outcome="deny"),
            make_record(seq=4, request_id="req_1"),
        )
        await asyncio.to_thread(under_test.ingest, *records)
        got = decisions(await following)
    assert [(index, item["request_id"], item["complete"]) for index, item in got] == [
        (1, "req_1", False),
        (2, "req_2", True),
        (3, "req_1", True),
    ]
    assert got[0][1]["subject"] == "user:alice"


async def test_a_stream_goes_on_behind_the_last_event_and_takes_filters(under_test):
    under_test.ingest(*(make_record(seq=seq, model="owl" if seq % 2 else "parrot") for seq in range(1, 7)))
    async with served(under_test) as (client, _):
        assert [index for index, _ in decisions(await follow(client, "max_s=0", last="2"))] == [3, 4, 5]
        owls = await follow(client, "max_s=0&model=owl&subject=user:alice", last="-1")
        assert [index for index, _ in decisions(owls)] == [0, 2, 4]
        assert decisions(await follow(client, "max_s=0")) == []


@pytest.mark.parametrize(
    ("query", "last", "pointer"),
    [
        pytest.param("colour=red", None, "/colour", id="an unknown filter"),
        pytest.param("outcome=maybe", None, "/outcome/0", id="an unknown outcome"),
        pytest.param("has_gap=true", None, "/has_gap", id="what is not known yet"),
        pytest.param("subject=alice", None, "/subject", id="no subject"),
        pytest.param("max_s=3601", None, "/max_s", id="too long"),
        pytest.param("", "7", "/Last-Event-ID", id="an event there was not"),
        pytest.param("", "x", "/Last-Event-ID", id="no event"),
    ],
)
async def test_a_question_that_makes_no_sense_is_refused(under_test, query, last, pointer):
    async with served(under_test) as (client, _):
        answer = await follow(client, query, last=last)
    assert (answer.status_code, [error["pointer"] for error in answer.json()["errors"]]) == (400, [pointer])


async def test_only_who_may_read_decisions_follows_them(under_test):
    async with served(under_test) as (client, _):
        assert (await follow(client, role="agent")).status_code == 403
        assert (await client.get("/v1/decisions:tail")).status_code == 401


async def test_a_stream_ends_when_its_token_does(under_test):
    async with served(under_test) as (client, _):
        following = asyncio.create_task(follow(client))
        await asyncio.sleep(0.3)
        with under_test.store.write() as session:
            auditor = session.principals.by_token_hash(hash_token(TOKENS["auditor"]))
            session.principals.put(replace(auditor, name="moved"), token_hash="another")
        answer = await asyncio.wait_for(following, timeout=10)
    assert '{"code":"token-invalid"}' in answer.text


async def test_streams_end_with_the_server_and_one_caller_has_a_bounded_number(under_test):
    async with served(under_test) as (client, watch):
        many = [asyncio.create_task(follow(client)) for _ in range(MOST_OF_ONE)]
        await asyncio.sleep(0.5)
        assert (await follow(client)).status_code == 429
        watch.close()
        assert {answer.status_code for answer in await asyncio.wait_for(asyncio.gather(*many), timeout=10)} == {200}
