# SPDX-License-Identifier: Apache-2.0
"""What only an engine in a process of its own can do: be late, be gone, come back, or have another bundle."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from policies.contracts.decision import Outcome
from policies.contracts.errors import EvaluationFailed
from policies.engines.opa import OpaGuard
from policies.engines.reused_guard import reusing
from tests.contract.guards import ALLOWED, GUARD_REVISION, OpaProcess, guard, request_of, snapshot_of

REFUSED = "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n{more}\r\n{body}"


@pytest.fixture
def opa(opa_binary: Path, tmp_path: Path) -> Iterator[OpaProcess]:
    process = OpaProcess(binary=opa_binary, folder=tmp_path)
    process.write(snapshot_of(guard()))
    yield process
    process.kill()


def guard_at(address: object, *, deadline_s: float = 5, revision: str = GUARD_REVISION) -> OpaGuard:
    return OpaGuard(snapshot_of(guard()), manifest_revision=revision, address=str(address), deadline_s=deadline_s)


@pytest.mark.opa
async def test_refuses_while_opa_is_gone_and_answers_once_it_is_back(opa) -> None:
    opa.start()
    engine = guard_at(opa.socket)
    try:
        assert (await engine.evaluate(request_of("bob"), ALLOWED)).answers[0].outcome is Outcome.NOT_APPLICABLE
        opa.kill()
        with pytest.raises(EvaluationFailed):
            await engine.evaluate(request_of("bob"), ALLOWED)
        opa.start()
        assert (await engine.evaluate(request_of("bob", max_tokens=513), ALLOWED)).answers[0].outcome is Outcome.DENY
    finally:
        await engine.close()


@pytest.mark.opa
async def test_nothing_is_reused_while_opa_is_gone(opa) -> None:
    opa.start()
    engine = guard_at(opa.socket)
    snapshot = snapshot_of(replace(guard(), reads=("request.max_tokens",)))
    reused = reusing(engine, snapshot, is_there=engine.is_connected)
    try:
        assert [(await reused.evaluate(request_of(), ALLOWED)).reused for _ in range(2)] == [False, True]
        opa.kill()
        await asyncio.sleep(0.05)  # for the loop to be told
        with pytest.raises(EvaluationFailed):
            await reused.evaluate(request_of(), ALLOWED)
        opa.start()
        assert [(await reused.evaluate(request_of(), ALLOWED)).reused for _ in range(2)] == [False, True]
    finally:
        await reused.close()


@pytest.mark.opa
async def test_refuses_an_answer_of_another_revision(opa) -> None:
    opa.start()
    engine = guard_at(opa.socket, revision="8+sha256:00ff")
    try:
        with pytest.raises(EvaluationFailed, match="another revision"):
            await engine.evaluate(request_of(), ALLOWED)
    finally:
        await engine.close()


@pytest.mark.opa
async def test_states_who_answered_and_by_which_revision(opa) -> None:
    opa.start()
    engine = guard_at(opa.socket)
    try:
        answer = await engine.evaluate(request_of(), ALLOWED)
    finally:
        await engine.close()
    assert (answer.engine, answer.provenance) == ("opa", GUARD_REVISION)


class Server:
    """A server on a Unix socket that says one thing, or nothing, and counts who asks."""

    def __init__(self, path: Path, answer: str | None) -> None:
        self.path = path
        self.asked = 0
        self._answer = answer
        self._closed = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        self.asked += 1
        if self._answer is None:
            await self._closed.wait()
        else:
            writer.write(self._answer.encode())
        writer.close()
        await writer.wait_closed()

    def close(self) -> None:
        self._closed.set()


@pytest.fixture
async def server(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Server]:
    saying = Server(tmp_path / "opa.sock", request.param)
    listening = await asyncio.start_unix_server(saying.serve, saying.path)
    yield saying
    saying.close()
    listening.close()
    await listening.wait_closed()
    await asyncio.sleep(0.01)  # for the connections that have just been told to end


def answer_of(body: str, status: str = "200 OK", more: str = "") -> str:
    return REFUSED.format(status=status, length=len(body), more=more, body=body)


PROVENANCE = '"provenance":{"bundles":{"b":{"revision":"7+sha256:00ff"}}}'
NEUTRAL = '{"request-caps":{"allow":false,"deny":[],"obligations":[]}}'


@pytest.mark.parametrize("server", [answer_of(f'{{{PROVENANCE},"result":{NEUTRAL}}}')], indirect=True)
async def test_takes_a_whole_answer(server) -> None:
    engine = guard_at(server.path)
    try:
        assert (await engine.evaluate(request_of(), ALLOWED)).answers[0].outcome is Outcome.NOT_APPLICABLE
    finally:
        await engine.close()


@pytest.mark.parametrize(
    "server",
    [
        pytest.param(answer_of(f'{{"result":{NEUTRAL}}}'), id="no-provenance"),
        pytest.param(
            answer_of(f'{{"provenance":{{"bundles":{{}}}},"result":{NEUTRAL}}}'), id="provenance-of-no-bundle"
        ),
        pytest.param(
            answer_of(
                '{"provenance":{"bundles":{"b":{"revision":"7+sha256:00ff"},"c":{"revision":"x"}}},"result":'
                + NEUTRAL
                + "}"
            ),
            id="a-second-bundle",
        ),
        pytest.param(
            answer_of('{"provenance":{"bundles":{"b":{"revision":"7+sha256:00ff"},"c":7}},"result":' + NEUTRAL + "}"),
            id="a-second-bundle-that-is-none",
        ),
        pytest.param(answer_of(f"{{{PROVENANCE}}}"), id="undefined"),
        pytest.param(answer_of(f'{{{PROVENANCE},"result":{{}}}}'), id="guard-missing"),
        pytest.param(answer_of(f'{{{PROVENANCE},"result":{NEUTRAL}'), id="not-json"),
        pytest.param(answer_of("[]"), id="not-an-object"),
        pytest.param(answer_of(f'{{{PROVENANCE},"result":{NEUTRAL}}}', status="203 Fine"), id="status-203"),
        pytest.param(answer_of("{}", status="500 Internal Server Error"), id="status-500"),
        pytest.param(answer_of("{}", status="503 Service Unavailable"), id="status-503"),
        pytest.param(answer_of("", status="307 Elsewhere", more="Location: http://localhost/\r\n"), id="redirect"),
        pytest.param("nonsense\r\n\r\n", id="not-http"),
        pytest.param("", id="closed"),
    ],
    indirect=True,
)
async def test_refuses_any_other_answer_after_one_try(server) -> None:
    engine = guard_at(server.path)
    try:
        with pytest.raises(EvaluationFailed) as caught:
            await engine.evaluate(request_of(), ALLOWED)
    finally:
        await engine.close()
    assert (caught.value.engine, server.asked) == ("opa", 1)


@pytest.mark.parametrize("server", [None], ids=["silent"], indirect=True)
async def test_refuses_when_the_deadline_has_passed(server) -> None:
    engine = guard_at(server.path, deadline_s=0.1)
    started = time.monotonic()
    try:
        with pytest.raises(EvaluationFailed, match=r"within 0\.1 s"):
            await engine.evaluate(request_of(), ALLOWED)
    finally:
        await engine.close()
    assert time.monotonic() - started < 5


async def test_refuses_when_nobody_listens(tmp_path) -> None:
    engine = guard_at(tmp_path / "nobody.sock")
    try:
        with pytest.raises(EvaluationFailed, match="not reachable"):
            await engine.evaluate(request_of(), ALLOWED)
    finally:
        await engine.close()


@pytest.mark.parametrize("server", [answer_of(f'{{{PROVENANCE},"result":{NEUTRAL}}}')], indirect=True)
async def test_trusts_no_proxy_variables(server, monkeypatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setitem(os.environ, name, "http://127.0.0.1:9")
    engine = guard_at(server.path)
    try:
        await engine.evaluate(request_of(), ALLOWED)
    finally:
        await engine.close()
    assert server.asked == 1


@pytest.mark.parametrize("address", ["localhost", ":8181", "localhost:http", ""])
def test_an_address_is_a_socket_or_host_and_port(address) -> None:
    with pytest.raises(ValueError, match="neither"):
        guard_at(address)
