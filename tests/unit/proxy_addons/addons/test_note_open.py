# SPDX-License-Identifier: Apache-2.0
import asyncio

import pytest

from policies.contracts.recording import LoggingPolicy, RecordsMode
from proxy_addons.addons import AddonPorts, build_addons
from proxy_addons.addons.note_open import BeginOpen, EndOpen
from proxy_addons.addons.record_decision import RecordDecision
from proxy_addons.addons.seal import Seal
from proxy_addons.clients.open_requests import OpenRequests, read_table
from proxy_addons.core.lost_request import Noting
from tests.unit.proxy_addons.core.test_record_builder import SCOPE
from tests.unit.proxy_addons.harness import Harness, active_policy, chat, plain_answer, ready_harness, streamed_answer

BEST_EFFORT = LoggingPolicy(
    id="log",
    version="1",
    records=RecordsMode.BEST_EFFORT,
    prompts=None,
    answers=None,
    max_bytes=None,
    operations=(),
    models=(),
    subjects=(),
)


class Watched:
    """A harness that looks into the table before every hook."""

    def __init__(self, table: OpenRequests) -> None:
        self.harness: Harness = ready_harness()
        noting = Noting(SCOPE)
        addons = self.harness.addons
        addons.insert(0, BeginOpen(table, noting))
        place = next(number for number, addon in enumerate(addons) if isinstance(addon, Seal))
        addons.insert(place, EndOpen(table, noting))
        self.seen: list[tuple[str, int, bool, bool]] = []
        hook = self.harness.hook

        async def looked(name, flow):
            await hook(name, flow)
            cells = list(read_table(table.path))
            self.seen.append((name, len(cells), any(c.decided for c in cells), any(c.admitted for c in cells)))

        self.harness.hook = looked


@pytest.fixture
def table(tmp_path):
    made = OpenRequests.create(tmp_path, boot="b")
    yield made
    made.close()


@pytest.fixture
def watched(table):
    return Watched(table)


async def test_a_request_is_open_until_its_terminal_record_is_durable(watched):
    assert (await watched.harness.send(chat(), upstream=plain_answer("hello"))).status == 200
    assert [(name, count) for name, count, *_ in watched.seen] == [
        ("requestheaders", 1), ("request", 1), ("responseheaders", 1), ("response", 0)
    ]  # fmt: skip
    assert watched.seen[1] == ("request", 1, True, False)


async def test_of_a_stream_it_is_noted_that_bytes_may_leave(watched):
    await watched.harness.send(chat(stream=True), upstream=streamed_answer("hello"))
    assert ("responseheaders", 1, True, True) in watched.seen
    assert watched.seen[-1][1] == 0


@pytest.mark.parametrize("target", [b"/unlisted", b"/v1/models?x=1"])
async def test_a_request_that_is_refused_on_its_head_ends_too(watched, target):
    await watched.harness.send(chat(), target=target)
    assert watched.seen[-1] == ("response", 0, False, False)


async def test_a_client_that_leaves_ends_its_request(watched):
    await watched.harness.send(chat(), leaves="answer")
    assert watched.seen[-1][:2] == ("error", 0)


async def test_it_is_still_open_while_the_record_is_written(watched, table):
    open_at_write = []
    sink = watched.harness.addon(RecordDecision)._sink
    write = sink.write

    async def looked(record, **options):
        open_at_write.append(len(list(read_table(table.path))))
        await write(record, **options)

    sink.write = looked
    await watched.harness.send(chat(), upstream=plain_answer("hello"))
    assert open_at_write == [1]


async def test_a_request_that_cannot_be_noted_does_not_go_on(watched, table, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(table, "begin", full)
    told = await watched.harness.send(chat())
    assert (told.code, told.sent_upstream) == ("record-unavailable", [])


def test_the_first_addon_begins_and_the_last_but_one_ends(table):
    made = ready_harness()
    identity = made.addon(RecordDecision)._identity
    ports = AddonPorts(sink=made.sink, take_token=None, scope=SCOPE, identity=identity, open_requests=table)
    kinds = [type(addon) for addon in build_addons(made.feed, ports)]
    assert (kinds[0], kinds[-2], kinds[-3]) == (BeginOpen, EndOpen, RecordDecision)


async def test_where_nobody_waits_for_the_disk_a_request_ends_when_its_record_is_there(watched, table):
    watched.harness.feed.swap(active_policy(logging=(BEST_EFFORT,)))
    done = asyncio.get_running_loop().create_future()
    watched.harness.addon(RecordDecision)._sink.post = lambda _: done
    assert (await watched.harness.send(chat(), upstream=plain_answer("hello"))).status == 200
    assert len(table) == 1
    done.set_result(None)
    await asyncio.sleep(0)
    assert len(table) == 0
