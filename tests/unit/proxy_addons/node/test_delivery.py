# SPDX-License-Identifier: Apache-2.0
import os

import pytest
from aiohttp import web

from proxy_addons.clients.control_plane import ControlPlane, ControlPlaneUnavailable
from proxy_addons.node.delivery import Delivery, SetAside

LINES = [b"%d\n" % number for number in range(10)]


class Picky:
    """Answers 200 unless a line of the batch is one of `bad` (400), it is too large (413), or all is refused."""

    def __init__(self) -> None:
        self.bad: set[bytes] = set()
        self.largest = 10**9
        self.always: int | None = None
        self.taken: list[bytes] = []
        self.batches: list[int] = []
        self.packed: list[bool] = []

    async def answer(self, request: web.Request) -> web.Response:
        body = await request.read()
        lines = body.splitlines(keepends=True)
        self.batches.append(len(lines))
        self.packed.append(request.headers.get("Content-Encoding") == "gzip")
        if self.always is not None:
            return web.Response(status=self.always)
        if len(body) > self.largest:
            return web.Response(status=413)
        if self.bad.intersection(lines):
            return web.Response(status=400)
        self.taken += [line for line in lines if line.strip()]
        return web.json_response({"stored": len(lines), "duplicates": 0, "quarantined": 0})


@pytest.fixture
async def server():
    picky = Picky()
    application = web.Application(client_max_size=64 * 1024 * 1024)
    application.router.add_post("/v1/records", picky.answer)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    picky.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield picky
    await runner.cleanup()


@pytest.fixture
def set_aside(tmp_path):
    return SetAside(tmp_path / "quarantine")


@pytest.fixture
async def delivery(server, tmp_path, set_aside):
    (tmp_path / "token").write_text("token")
    async with ControlPlane.connect(server.url, environment="production", token_file=tmp_path / "token") as client:
        yield Delivery(client, set_aside)


async def test_a_batch_that_is_taken_goes_whole(server, delivery):
    await delivery.deliver(LINES)
    assert (server.taken, server.batches) == (LINES, [10])


@pytest.mark.parametrize("bad", [[0], [9], [4, 5], list(range(10))], ids=str)
async def test_bad_lines_are_set_aside_and_no_other_is_lost(server, delivery, set_aside, tmp_path, bad):
    server.bad = {LINES[number] for number in bad}
    await delivery.deliver(LINES)
    assert server.taken == [line for number, line in enumerate(LINES) if number not in bad]
    kept = {path.read_bytes() for path in (tmp_path / "quarantine").iterdir()}
    assert (kept, set_aside.count) == (server.bad, len(bad))


async def test_a_line_that_is_refused_again_is_kept_once(server, delivery, set_aside):
    server.bad = {LINES[0]}
    for _ in range(2):
        await delivery.deliver(LINES[:1])
    assert set_aside.count == 1


@pytest.mark.parametrize("status", [400, 413, 415, 422])
async def test_what_refuses_everything_is_waited_for(server, delivery, set_aside, status):
    server.always = status
    with pytest.raises(ControlPlaneUnavailable) as refused:
        await delivery.deliver(LINES)
    assert (refused.value.status, set_aside.count) == (status, 0)


@pytest.mark.parametrize("status", [401, 403, 404, 409, 429, 500, 503])
async def test_any_other_refusal_halves_nothing(server, delivery, status):
    server.always = status
    with pytest.raises(ControlPlaneUnavailable):
        await delivery.deliver(LINES)
    assert server.batches == [10]


async def test_where_less_fits_through_smaller_batches_are_sent_from_then_on(server, delivery):
    server.largest = 300_000
    lines = [os.urandom(50_000).hex().encode() + b"\n" for _ in range(10)]
    await delivery.deliver(lines)
    assert server.taken == lines
    assert delivery.max_bytes <= 300_000


async def test_large_batches_are_packed(server, delivery):
    await delivery.deliver(LINES)
    await delivery.deliver([b"x" * 9000 + b"\n"])
    assert server.packed == [False, True]
    assert server.taken[-1] == b"x" * 9000 + b"\n"


async def test_a_line_that_cannot_be_kept_is_not_acknowledged(server, delivery, monkeypatch):
    server.bad = {LINES[0]}

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("proxy_addons.node.delivery.write_durably", full)
    with pytest.raises(OSError, match="No space"):
        await delivery.deliver(LINES)
