# SPDX-License-Identifier: Apache-2.0
"""The prompt screen is asked, and whatever it does that is no answer is told as none: against one on loopback."""

import asyncio
import ssl
import tempfile
from pathlib import Path

import pytest

from policies.contracts.asked_screen import ScreenAbsent, ScreenQuestion, ScreenText
from policies.contracts.redaction import FieldClass
from proxy_addons.clients import screen_client
from proxy_addons.clients.screen_client import NoScreen, ScreenClient, ScreenPlace
from tests.authority import Authority
from tests.fake_screen import ATTACK, FakeScreen

QUESTION = ScreenQuestion(texts=(ScreenText(ATTACK, FieldClass.TOOL_RESULT),), joined=False)
LONG_MS = 10_000


class Clock:
    now_s = 100.0

    def __call__(self):
        return self.now_s


@pytest.fixture
async def screen():
    async with FakeScreen() as started:
        yield started


@pytest.fixture
async def client(screen):
    made = ScreenClient(ScreenPlace(origin=screen.url, api_key="s3cret"), monotonic_s=Clock())
    yield made
    await made.close()


async def asked(client, deadline_ms=LONG_MS):
    [reply] = await client.ask([QUESTION], deadline_ms=deadline_ms)
    return reply


def counted(client):
    return {labels[0]: value for name, labels, value in client.read() if name == "gatehouse_screen_questions_total"}


async def test_an_answer_is_told(screen, client):
    reply = await asked(client)
    assert ([each.score for each in reply.scores], reply.joined, reply.complete) == ([0.97], None, True)
    assert screen.headers[0]["Authorization"] == "Bearer s3cret"
    assert screen.questions[0]["gatehouse"]["deadline_ms"] == 9000
    assert counted(client) == {"answered": 1}


@pytest.mark.parametrize(
    ("given", "want"),
    [
        pytest.param({"status": 302}, "refused", id="a-redirect"),
        pytest.param({"status": 400}, "refused", id="a-bad-question"),
        pytest.param({"status": 401}, "refused", id="a-stranger"),
        pytest.param({"status": 429}, "busy", id="busy"),
        pytest.param({"status": 503}, "refused", id="not-ready"),
        pytest.param({"body": b"<html>"}, "invalid", id="no-json"),
        pytest.param({"body": b"[" + b" " * 9_000_000 + b"]"}, "invalid", id="too-large"),
        pytest.param({"changes": {"results": []}}, "invalid", id="no-results"),
    ],
)
async def test_anything_else_is_no_answer(screen, client, given, want):
    vars(screen).update(given)
    assert await asked(client) == ScreenAbsent(want)
    assert [each.get("path") for each in screen.questions] == [None]
    assert counted(client) == {want: 1}


async def test_what_is_late_does_not_come(screen, client):
    screen.wait_s = 5
    assert await asked(client, deadline_ms=50) == ScreenAbsent("late")


async def test_an_answer_about_a_part_says_so(screen, client):
    screen.complete = False
    reply = await asked(client)
    assert (reply.complete, reply.scores[0].complete, counted(client)) == (False, False, {"incomplete": 1})


async def test_a_screen_that_is_not_there_is_left_alone_for_a_while(screen):
    clock = Clock()
    client = ScreenClient(ScreenPlace(origin=screen.url), monotonic_s=clock)
    await screen.stop()
    came = [(await asked(client)).why for _ in range(7)]
    assert came == ["unreachable"] * 5 + ["broken"] * 2
    again = await FakeScreen().start(port=int(screen.url.rpartition(":")[2]))
    assert (await asked(client)).why == "broken"
    clock.now_s += 2
    assert ((await asked(client)).complete, (await asked(client)).complete) == (True, True)
    await client.close()
    await again.stop()


async def test_what_is_wrong_with_a_question_does_not_switch_the_screen_off_for_others(screen, client):
    screen.status = 400
    assert {(await asked(client)).why for _ in range(8)} == {"refused"}
    screen.status = 429
    assert {(await asked(client)).why for _ in range(8)} == {"busy"}
    screen.status = 200
    assert (await asked(client)).complete


async def test_no_more_questions_are_out_than_may_be(screen, client, monkeypatch):
    monkeypatch.setattr(screen_client, "MOST_QUESTIONS", 3)
    screen.wait_s = 0.2
    replies = await asyncio.gather(*(asked(client) for _ in range(5)))
    assert [reply for reply in replies if isinstance(reply, ScreenAbsent)] == [ScreenAbsent("busy")] * 2
    assert screen.most_at_once == 3
    assert (await asked(client)).complete


async def test_who_leaves_gives_the_place_back(screen, client, monkeypatch):
    monkeypatch.setattr(screen_client, "MOST_QUESTIONS", 1)
    screen.wait_s = 5
    task = asyncio.get_running_loop().create_task(asked(client))
    while not screen.questions:
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    screen.wait_s = 0
    assert (await asked(client)).complete


async def test_several_questions_wait_side_by_side(screen, client):
    screen.wait_s = 0.1
    replies = await client.ask([QUESTION, QUESTION], deadline_ms=LONG_MS)
    assert ([reply.complete for reply in replies], screen.most_at_once) == ([True, True], 2)


async def test_the_environments_proxy_is_not_asked(client, monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert (await asked(client)).complete


async def test_a_screen_on_a_socket_is_asked():
    with tempfile.TemporaryDirectory() as folder:
        socket = Path(folder) / "s"
        screen = await FakeScreen().start(socket=socket)
        client = ScreenClient(ScreenPlace(origin="http://screen", socket=socket))
        assert (await asked(client)).complete
        await client.close()
        await screen.stop()


@pytest.mark.parametrize(
    ("trusts", "shows", "is_answered"),
    [
        pytest.param("ours", "proxy", True, id="the-node-s-own-certificate"),
        pytest.param("ours", None, False, id="none-to-show"),
        pytest.param("others", "proxy", False, id="another-authority-s-screen"),
    ],
)
async def test_both_sides_show_who_they_are(tmp_path, trusts, shows, is_answered):
    authorities = {name: Authority(tmp_path, name) for name in ("ours", "others")}
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=authorities["ours"].path)
    server.verify_mode = ssl.CERT_REQUIRED
    server.load_cert_chain(*authorities["ours"].issue("screen"))
    context = ssl.create_default_context(cafile=authorities[trusts].path)
    if shows is not None:
        context.load_cert_chain(*authorities["ours"].issue(shows))
    behind = await FakeScreen().start(tls=server)
    client = ScreenClient(ScreenPlace(origin=behind.url, tls=context))
    reply = await asked(client)
    assert (reply == ScreenAbsent("unreachable"), bool(behind.questions)) == (not is_answered, is_answered)
    await client.close()
    await behind.stop()


async def test_a_node_without_a_screen_says_so():
    none = NoScreen()
    assert await asked(none) == ScreenAbsent("not-set-up")
    assert counted(none) == {"not-set-up": 1}
    await none.close()
