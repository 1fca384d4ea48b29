# SPDX-License-Identifier: Apache-2.0
import pytest
from aiohttp import web

from proxy_addons.clients import control_plane as module
from proxy_addons.clients.control_plane import ControlPlane, ControlPlaneUnavailable, NothingPublished
from tests.fake_control_plane import AGENT_TOKEN, FakeControlPlane


@pytest.fixture
async def server():
    fake = FakeControlPlane()
    await fake.start()
    yield fake
    await fake.stop()


@pytest.fixture
async def client(server, tmp_path):
    (tmp_path / "token").write_text(AGENT_TOKEN + "\n")
    async with ControlPlane.connect(server.url, environment="production", token_file=tmp_path / "token") as client:
        yield client


async def test_fetches_with_the_etag_that_names_the_bytes(server, client):
    await server.publish(bundle=b"one", credentials=b"two")
    assert (await client.bundle(None)).content == b"one"
    assert (await client.credentials('"another"')).content == b"two"


async def test_nothing_published_is_told_apart(client):
    with pytest.raises(NothingPublished):
        await client.bundle(None)


async def test_nothing_new_is_none(server, client, monkeypatch):
    monkeypatch.setattr(module, "_LONG_POLL_S", 0)
    await server.publish(bundle=b"one")
    fetched = await client.bundle(None)
    assert await client.bundle(fetched.etag) is None


async def test_a_refusal_says_when_to_come_back(server, client):
    server.failing = True
    with pytest.raises(ControlPlaneUnavailable, match="status 503") as refused:
        await client.append_records(b"{}\n")
    assert refused.value.retry_after_s == 0


async def test_a_bundle_beyond_the_limit_is_not_read_to_its_end(server, client, monkeypatch):
    monkeypatch.setattr(module, "_LARGEST_BUNDLE_BYTES", 10)
    await server.publish(bundle=b"x" * 11)
    with pytest.raises(ControlPlaneUnavailable, match="larger than 10"):
        await client.bundle(None)


async def test_the_token_is_read_anew_and_not_shown(server, client, tmp_path):
    (tmp_path / "token").write_text("wrong-secret")
    with pytest.raises(ControlPlaneUnavailable, match="status 401") as refused:
        await client.report_status("node-1", {})
    assert "secret" not in str(refused.value)
    (tmp_path / "token").unlink()
    with pytest.raises(ControlPlaneUnavailable, match="token file"):
        await client.report_status("node-1", {})
    (tmp_path / "token").write_text(AGENT_TOKEN)
    await client.report_status("node-1", {"node_id": "node-1"})
    assert server.statuses == [{"node_id": "node-1"}]


async def test_redirects_are_not_followed(tmp_path):
    async def redirect(_: web.Request) -> web.Response:
        return web.Response(status=307, headers={"Location": "/elsewhere"})

    application = web.Application()
    application.router.add_post("/v1/records", redirect)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    (tmp_path / "token").write_text(AGENT_TOKEN)
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    async with ControlPlane.connect(url, environment="production", token_file=tmp_path / "token") as client:
        with pytest.raises(ControlPlaneUnavailable, match="status 307"):
            await client.append_records(b"{}\n")
    await runner.cleanup()


@pytest.mark.parametrize(
    ("said", "stored"),
    [
        (b'{"stored":1,"duplicates":0,"quarantined":0}', True),
        (b'{"stored":1,"duplicates":0,"quarantined":0,"more":1}', True),
        (b"<html>Please sign in</html>", False),
        (b"", False),
        (b"{}", False),
        (b"[]", False),
        (b'{"stored":true,"duplicates":0,"quarantined":0}', False),
    ],
)
async def test_only_the_word_of_ingestion_is_taken_for_stored(tmp_path, said, stored):
    (tmp_path / "token").write_text(AGENT_TOKEN)

    async def answer(_request):
        return web.Response(body=said)

    application = web.Application()
    application.router.add_post("/v1/records", answer)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    origin = f"http://127.0.0.1:{runner.addresses[0][1]}"
    async with ControlPlane.connect(origin, environment="production", token_file=tmp_path / "token") as client:
        if stored:
            await client.append_records(b"{}\n")
        else:
            with pytest.raises(ControlPlaneUnavailable, match="does not say that records were stored"):
                await client.append_records(b"{}\n")
    await runner.cleanup()


async def test_nobody_there_is_unavailable(tmp_path, free_port):
    (tmp_path / "token").write_text(AGENT_TOKEN)
    origin = f"http://127.0.0.1:{free_port}"
    async with ControlPlane.connect(origin, environment="production", token_file=tmp_path / "token") as client:
        with pytest.raises(ControlPlaneUnavailable):
            await client.bundle(None)
