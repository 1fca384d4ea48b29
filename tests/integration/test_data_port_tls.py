# SPDX-License-Identifier: Apache-2.0
"""The data port over TLS: who is refused, whose certificate is known, and how a certificate is replaced under load."""

import asyncio
import json
import os
import shutil
import ssl
import subprocess

import httpx
import openai
import pytest
from cryptography import x509

from proxy_addons.http1.bounds import Bounds
from proxy_addons.settings import DataPortTls
from tests.authority import Authority
from tests.layer_rig import (
    AllowAll,
    Shouting,
    Streams,
    answering,
    error_code,
    exchange_of,
    gateway,
    on_uvloop,
    request,
    status,
)

WITHIN_S = 5.0
CHAT = json.dumps(
    {
        "id": "c",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "hello"}, "finish_reason": "stop"}],
    }
).encode()
CHAT_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(CHAT), CHAT)


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path, "ca")


@pytest.fixture
def files(authority):
    cert_file, key_file = authority.issue("server")
    return DataPortTls(cert_file=cert_file, key_file=key_file, client_ca_file=authority.path)


def trusting(authority, *, certificate=None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=authority.path)
    if certificate is not None:
        context.load_cert_chain(*certificate)
    return context


async def connect(gate, context):
    return await asyncio.open_connection("127.0.0.1", gate.port, ssl=context)


async def ask(gate, context, raw: bytes) -> bytes:
    reader, writer = await connect(gate, context)
    writer.write(raw)
    answer = await asyncio.wait_for(reader.read(), WITHIN_S)
    writer.close()
    return answer


async def nothing_from(asking) -> bool:
    """Whether the connection ends without a byte of HTTP. A TLS alert is no answer."""
    try:
        return b"HTTP/" not in await asking
    except OSError:
        return True


async def shown(gate, context) -> str:
    """Return the common name of the certificate that a new connection is shown."""
    _, writer = await connect(gate, context)
    certificate = writer.get_extra_info("ssl_object").getpeercert()
    writer.close()
    return dict(pair for names in certificate["subject"] for pair in names)["commonName"]


async def until(holds) -> None:
    async with asyncio.timeout(WITHIN_S):
        while not await holds():
            await asyncio.sleep(0.05)


@on_uvloop
async def test_requests_are_answered_over_tls_and_the_connection_goes_on(authority, files):
    async with gateway([AllowAll()], tls=files) as gate:
        reader, writer = await connect(gate, trusting(authority))
        for _ in range(3):
            writer.write(request(close=False))
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), WITHIN_S)
            assert status(head) == 200
            await reader.readexactly(11)
        assert writer.get_extra_info("ssl_object").version() == "TLSv1.3"
        writer.close()


@on_uvloop
async def test_an_answer_that_ends_the_connection_ends_it_at_once(authority, files):
    async with gateway([AllowAll()], tls=files, bounds=Bounds(linger_s=30, drain_s=1)) as gate:
        answer = await asyncio.wait_for(ask(gate, trusting(authority), request()), 2)
    assert answer.endswith(b'{"ok":true}')


@on_uvloop
async def test_a_client_that_sends_on_while_refused_still_reads_the_refusal(authority, files):
    async with gateway([AllowAll(max_body_bytes=100)], tls=files) as gate:
        reader, writer = await connect(gate, trusting(authority))
        writer.write(b"POST /v1/x HTTP/1.1\r\nHost: a\r\nContent-Length: 900000\r\n\r\n" + b"x" * 500_000)
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), WITHIN_S)
        writer.close()
    assert status(head) == 413


@on_uvloop
async def test_a_verified_client_certificate_is_in_the_exchange(authority, files):
    async with gateway([addon := AllowAll()], tls=files) as gate:
        await ask(gate, trusting(authority, certificate=authority.issue("alice")), request())
        await ask(gate, trusting(authority), request())
    told = [exchange_of(flow).peer_certificate for flow in addon.flows]
    assert told[1] is None
    subject = x509.load_der_x509_certificate(told[0]).subject.rfc4514_string()
    assert subject == "CN=alice"
    assert addon.flows[0].client_conn.tls_established


@on_uvloop
async def test_a_client_certificate_of_another_authority_ends_the_handshake(authority, files, tmp_path):
    stranger = Authority(tmp_path, "stranger")
    async with gateway([addon := AllowAll()], tls=files) as gate:
        assert await nothing_from(ask(gate, trusting(authority, certificate=stranger.issue("mallory")), request()))
    assert not addon.seen


@on_uvloop
async def test_a_certificate_is_not_asked_for_without_authorities(authority, files):
    plain = DataPortTls(cert_file=files.cert_file, key_file=files.key_file)
    async with gateway([addon := AllowAll()], tls=plain) as gate:
        await ask(gate, trusting(authority, certificate=authority.issue("alice")), request())
    assert exchange_of(addon.flows[0]).peer_certificate is None


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1 is deprecated:DeprecationWarning")
@on_uvloop
async def test_old_tls_is_refused(authority, files):
    old = trusting(authority)
    old.set_ciphers("ALL:@SECLEVEL=0")
    old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
    async with gateway([AllowAll()], tls=files) as gate:
        with pytest.raises(OSError):
            await connect(gate, old)


@pytest.mark.parametrize(
    ("offers", "want"),
    [
        pytest.param(["h2", "http/1.1"], "http/1.1", id="both"),
        pytest.param(["h2"], None, id="only-h2"),
        pytest.param([], None, id="none"),
    ],
)
@on_uvloop
async def test_only_http_1_1_is_ever_agreed(authority, files, offers, want):
    context = trusting(authority)
    if offers:
        context.set_alpn_protocols(offers)
    async with gateway([AllowAll()], tls=files) as gate:
        _, writer = await connect(gate, context)
        assert writer.get_extra_info("ssl_object").selected_alpn_protocol() == want
        writer.close()


@on_uvloop
async def test_the_preface_of_http_2_is_refused(authority, files):
    context = trusting(authority)
    context.set_alpn_protocols(["h2"])
    async with gateway([addon := AllowAll()], tls=files) as gate:
        answer = await ask(gate, context, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(9))
    assert (status(answer), error_code(answer)) == (400, "protocol-not-permitted")
    assert addon.hooks[-1] == "response"


@on_uvloop
async def test_plain_http_on_a_tls_port_gets_no_answer(files):
    async with gateway([addon := AllowAll()], tls=files) as gate:
        assert await nothing_from(gate.exchange(request()))
    assert not addon.seen


@on_uvloop
async def test_a_silent_handshake_is_given_up(files):
    async with gateway([AllowAll()], tls=files, bounds=Bounds(handshake_s=0.2, drain_s=1)) as gate:
        reader, writer = await gate.connect()
        assert await nothing_from(asyncio.wait_for(reader.read(), WITHIN_S))
        writer.close()


@on_uvloop
async def test_a_new_certificate_is_shown_within_a_second_and_open_streams_go_on(authority, files):
    go_on = asyncio.Event()

    async def respond(upstream, reader, writer):
        await upstream.read_request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        writer.write(b"4\r\none \r\n")
        await go_on.wait()
        writer.write(b"4\r\ntwo \r\n0\r\n\r\n")
        await reader.read()

    told = []
    context = trusting(authority)
    async with gateway(
        [AllowAll(), Streams(Shouting())], respond, tls=files, on_certificate=lambda *state: told.append(state)
    ) as gate:
        reader, writer = await connect(gate, context)
        writer.write(request())
        await asyncio.wait_for(reader.readuntil(b"ONE "), WITHIN_S)
        assert await shown(gate, context) == "server"
        authority.issue("renewed", file="server")

        async def renewed() -> bool:
            return await shown(gate, context) == "renewed"

        await until(renewed)
        go_on.set()
        assert (await asyncio.wait_for(reader.read(), WITHIN_S)).endswith(b"FINISHED\r\n0\r\n\r\n")
        writer.close()
    assert [problem for _, problem in told] == ["", ""]


@on_uvloop
async def test_a_bad_new_pair_keeps_the_old_one_and_is_reported_until_it_is_mended(authority, files):
    told = []
    context = trusting(authority)
    async with gateway([AllowAll()], tls=files, on_certificate=lambda *state: told.append(state)) as gate:
        good = files.key_file.read_bytes()
        files.key_file.write_bytes(authority.issue("other")[1].read_bytes())

        async def reported() -> bool:
            return bool(told[-1][1])

        await until(reported)
        assert told[-1] == (told[0][0], "KEY_VALUES_MISMATCH")
        assert await shown(gate, context) == "server"
        files.key_file.write_bytes(good)

        async def mended() -> bool:
            return not told[-1][1]

        await until(mended)
        assert await shown(gate, context) == "server"


@on_uvloop
async def test_no_connection_is_refused_while_certificates_are_replaced(authority, files):
    context = trusting(authority)
    async with gateway([AllowAll()], tls=files) as gate:
        names = []
        for number in range(3):
            authority.issue(f"n{number}", file="server")
            async with asyncio.timeout(WITHIN_S):
                while names[-1:] != [f"n{number}"]:
                    assert status(await ask(gate, context, request())) == 200
                    names.append(await shown(gate, context))
    assert {"n0", "n1", "n2"} <= set(names)


@on_uvloop
async def test_the_openai_package_reads_answers_over_https(authority, files):
    async with gateway([AllowAll(max_body_bytes=10_000)], answering(CHAT_ANSWER), tls=files) as gate:
        context = trusting(authority)
        async with (
            httpx.AsyncClient(verify=context, trust_env=False) as http_client,
            openai.AsyncOpenAI(
                base_url=f"https://127.0.0.1:{gate.port}/v1", api_key="k", http_client=http_client, max_retries=0
            ) as client,
        ):
            answer = await client.chat.completions.create(model="m", messages=[{"role": "user", "content": "hi"}])
    assert answer.choices[0].message.content == "hello"


@on_uvloop
async def test_curl_with_certificates_that_openssl_made(tmp_path):
    if not (shutil.which("openssl") and shutil.which("curl")):
        pytest.skip("no openssl or no curl on the PATH")

    def openssl(*arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=tmp_path, check=True, capture_output=True)

    openssl(
        *("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=root"),
        *("-keyout", "ca.key", "-out", "ca.pem"),
    )
    for name in ("server", "client"):
        openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", "csr")
        (tmp_path / "ext").write_text("subjectAltName=IP:127.0.0.1")
        openssl(
            *("x509", "-req", "-in", "csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "1"),
            *("-extfile", "ext", "-out", f"{name}.pem"),
        )
    files = DataPortTls(
        cert_file=tmp_path / "server.pem", key_file=tmp_path / "server.key", client_ca_file=tmp_path / "ca.pem"
    )
    async with gateway([addon := AllowAll()], tls=files) as gate:
        process = await asyncio.create_subprocess_exec(
            *("curl", "-sS", "--max-time", "10", "--cacert", "ca.pem", "--cert", "client.pem", "--key", "client.key"),
            *("-w", " %{http_code} %{http_version}", "-d", "{}", f"https://127.0.0.1:{gate.port}/v1/x"),
            cwd=tmp_path,
            env={"PATH": os.environ["PATH"]},
            stdout=subprocess.PIPE,
        )
        out, _ = await process.communicate()
    assert out == b'{"ok":true} 200 1.1'
    assert b"client" in exchange_of(addon.flows[0]).peer_certificate
