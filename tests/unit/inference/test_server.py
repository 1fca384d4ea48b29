# SPDX-License-Identifier: Apache-2.0
"""The real process over mTLS, asked by the openai package."""

import datetime as dt
import ipaddress
import ssl
from pathlib import Path

import httpx2
import openai
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.unit.inference.running import refused, running


def name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


class Authority:
    """A CA that writes its certificates into a folder."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.folder = folder
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.certificate = self._sign("ca", self.key, is_ca=True)
        (folder / "ca.pem").write_bytes(self.certificate.public_bytes(serialization.Encoding.PEM))

    def issue(self, common: str) -> tuple[Path, Path]:
        key = ec.generate_private_key(ec.SECP256R1())
        certificate, key_file = self.folder / f"{common}.pem", self.folder / f"{common}.key"
        certificate.write_bytes(self._sign(common, key, is_ca=False).public_bytes(serialization.Encoding.PEM))
        key_file.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return certificate, key_file

    def _sign(self, common: str, key, *, is_ca: bool) -> x509.Certificate:
        now = dt.datetime.now(dt.UTC)
        addresses = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
        builder = (
            x509.CertificateBuilder()
            .subject_name(name(common))
            .issuer_name(name("ca"))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(hours=1))
            .not_valid_after(now + dt.timedelta(hours=1))
            .add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
            .add_extension(addresses, critical=False)
        )
        return builder.sign(self.key, hashes.SHA256())

    def client_context(self, trust: Path, client: str | None) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=trust)
        if client:
            context.load_cert_chain(*self.issue(client))
        return context


class Served:
    def __init__(self, running, authority: Authority) -> None:
        self.url = f"https://127.0.0.1:{running.listening['port']}"
        self.operations = f"http://127.0.0.1:{running.listening['metrics_port']}"
        self.authority = authority
        self.log = running.log
        self.events = running.events
        self.context = authority.client_context(authority.folder / "ca.pem", "proxy")

    def http(self, context: ssl.SSLContext | None = None) -> httpx2.Client:
        return httpx2.Client(verify=context or self.context, trust_env=False, timeout=20)

    def openai(self, http: httpx2.Client) -> openai.OpenAI:
        return openai.OpenAI(base_url=f"{self.url}/v1", api_key="unused", http_client=http, max_retries=0)


@pytest.fixture(scope="module")
def served(parrot_dir, tmp_path_factory):
    folder = tmp_path_factory.mktemp("served")
    authority = Authority(folder / "ca")
    certificate, key = authority.issue("inference")
    options = ["--model-dir", parrot_dir, "--name", "parrot", "--name", "parrot-restricted", "--port", "0"]
    options += ["--tls-cert", certificate, "--tls-key", key, "--client-ca", authority.folder / "ca.pem"]
    with running([*options, "--client-name", "proxy"], folder / "log") as process:
        yield Served(process, authority)


@pytest.fixture
def client(served):
    with served.http() as http:
        yield served.openai(http)


def test_openai_chats_plain_and_streamed(client):
    asked = {"model": "parrot", "messages": [{"role": "user", "content": "Grüße <|end|> 🎉"}]}
    assert client.chat.completions.create(**asked).choices[0].message.content == "Grüße <|end|> 🎉"
    chunks = list(client.chat.completions.create(**asked, stream=True, stream_options={"include_usage": True}))
    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == "Grüße <|end|> 🎉"
    assert chunks[-1].usage.completion_tokens == len("Grüße <|end|> 🎉".encode()) + 1


def test_openai_completes_and_lists_models(client):
    assert client.completions.create(model="parrot", prompt="abc").choices[0].text == "abc"
    assert [model.id for model in client.models.list()] == ["parrot", "parrot-restricted"]


async def test_the_asynchronous_client_chats_streams_and_gives_up(served):
    async with httpx2.AsyncClient(verify=served.context, trust_env=False, timeout=20) as http:
        client = openai.AsyncOpenAI(base_url=f"{served.url}/v1", api_key="unused", http_client=http, max_retries=0)
        asked = {"model": "parrot", "messages": [{"role": "user", "content": "hello"}]}
        assert (await client.chat.completions.create(**asked)).choices[0].message.content == "hello"
        stream = await client.chat.completions.create(**asked, stream=True, stream_options={"include_usage": True})
        chunks = [chunk async for chunk in stream]
        assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == "hello"
        assert [chunk.usage.completion_tokens for chunk in chunks if chunk.usage] == [6]
        with pytest.raises(openai.APITimeoutError):
            await client.with_options(timeout=0.01).completions.create(model="parrot", prompt="x" * 1500)
        assert (await client.completions.create(model="parrot", prompt="abc")).choices[0].text == "abc"


@pytest.mark.parametrize(
    ("body", "status", "kind"),
    [
        pytest.param(b"{", 400, openai.BadRequestError, id="not-json"),
        pytest.param(b"[" * 1_000_000, 400, openai.BadRequestError, id="deep"),
        pytest.param(b'{"model":"none","prompt":"x"}', 404, openai.NotFoundError, id="no-such-model"),
    ],
)
def test_hostile_bodies_are_errors_of_the_package(served, client, body, status, kind):
    headers = {"content-type": "application/json"}
    with pytest.raises(kind) as refused:
        client.post("/completions", cast_to=object, content=body, options={"headers": headers})
    assert refused.value.status_code == status


def test_openai_raises_its_own_errors(client):
    with pytest.raises(openai.NotFoundError):
        client.completions.create(model="none", prompt="abc")
    with pytest.raises(openai.BadRequestError) as refused:
        client.completions.create(model="parrot", prompt="abc", best_of=2)
    assert (refused.value.param, refused.value.code) == ("best_of", "unsupported_parameter")


@pytest.mark.parametrize("peer", ["without-certificate", "of-another-ca", "of-another-name"])
def test_a_stranger_is_refused_in_the_handshake(served, tmp_path, peer):
    trust = served.authority.folder / "ca.pem"
    stranger = Authority(tmp_path / "other")
    if peer == "of-another-name":
        context = served.authority.client_context(trust, "proxy2")
    else:
        context = stranger.client_context(trust, None if peer == "without-certificate" else "proxy")
    with served.http(context) as http, pytest.raises(httpx2.TransportError):
        http.get(f"{served.url}/healthz")
    with served.http() as http:
        assert http.get(f"{served.url}/healthz").status_code == 200


def test_a_client_that_leaves_ends_the_generation(served, client):
    with client.chat.completions.create(
        model="parrot", messages=[{"role": "user", "content": "x" * 1000}], stream=True
    ) as stream:
        next(stream)
    client.completions.create(model="parrot", prompt="after")
    finished = [event for event in served.events() if event["event"] == "answer_finished"]
    assert finished[-1]["completion_tokens"] == 6
    assert all(event["prompt_tokens"] < 1000 for event in finished)


def test_neither_prompts_nor_answers_are_logged(served, client):
    client.completions.create(model="parrot", prompt="unmistakable")
    with pytest.raises(openai.BadRequestError):
        client.completions.create(model="parrot", prompt="unmistakable", suffix="unmistakable")
    assert "unmistakable" not in served.log.read_text()


def test_metrics_and_health_are_on_a_port_of_their_own(served, client):
    client.completions.create(model="parrot", prompt="abc")
    with httpx2.Client(trust_env=False, timeout=20) as http:
        page = http.get(f"{served.operations}/metrics").text
        assert 'vllm:request_success_total{engine="0",finished_reason="stop",model_name="parrot"}' in page
        assert http.get(f"{served.operations}/readyz").status_code == 200
        assert http.get(f"{served.operations}/v1/models").status_code == 404
    with served.http() as http:
        assert http.get(f"{served.url}/metrics").status_code == 404
        assert http.get(f"{served.url}/readyz").status_code == 200


@pytest.mark.parametrize("path", ["/docs", "/redoc", "/openapi.json", "/metrics", "/debug", "/load_model", "/v1/files"])
def test_there_are_no_pages_beside_the_interface(served, path):
    with served.http() as http:
        assert http.get(f"{served.url}{path}").status_code == 404


def test_a_unix_socket_serves_its_owner(parrot_dir, tmp_path):
    path = tmp_path / "inference.sock"
    options = ["--model", f"parrot={parrot_dir}", "--no-screen", "--socket", path]
    with running(options, tmp_path / "log"):
        assert path.stat().st_mode & 0o777 == 0o600
        with httpx2.Client(transport=httpx2.HTTPTransport(uds=str(path)), trust_env=False, timeout=20) as http:
            client = openai.OpenAI(base_url="http://inference/v1", api_key="unused", http_client=http, max_retries=0)
            asked = {"model": "parrot", "messages": [{"role": "user", "content": "hello"}]}
            assert client.chat.completions.create(**asked).choices[0].message.content == "hello"
            streamed = client.chat.completions.create(**asked, stream=True)
            assert "".join(chunk.choices[0].delta.content or "" for chunk in streamed) == "hello"
        assert "in use" in refused(options)
    assert not path.exists()


def test_loopback_without_protection_is_told_loudly(parrot_dir, tmp_path):
    options = ["--model", f"parrot={parrot_dir}", "--no-screen", "--port", "0", "--insecure-loopback"]
    with running(options, tmp_path / "log") as process:
        told = {event["event"]: event["level"] for event in process.events()}
        assert told["insecure_listener"] == "warning"


@pytest.mark.parametrize(
    ("options", "text"),
    [
        pytest.param(["--port", "0"], "no TLS", id="clear-text"),
        pytest.param(["--port", "0", "--insecure-loopback", "--host", "0.0.0.0"], "loopback", id="clear-text-for-all"),
        pytest.param(["--port", "0", "--tls-cert", __file__], "belong together", id="no-key"),
        pytest.param(
            ["--port", "0", "--tls-cert", __file__, "--tls-key", __file__], "give --client-ca", id="no-client-ca"
        ),
        pytest.param(
            ["--port", "0", "--tls-cert", __file__, "--tls-key", __file__, "--client-ca", __file__],
            "no usable PEM",
            id="not-pem",
        ),
        pytest.param([], "nowhere to listen", id="nowhere"),
        pytest.param(["--port", "0", "--socket", "s"], "stands alone", id="two-places"),
        pytest.param(["--port", "0", "--socket-group", "g"], "belongs to --socket", id="a-group-of-no-socket"),
        pytest.param(["--socket", __file__], "is not a socket", id="a-file"),
        pytest.param(["--socket", "s", "--user", "no-such-user"], "no such user", id="no-such-user"),
    ],
)
def test_refuses_to_start(parrot_dir, options, text):
    assert text in refused(["--model-dir", parrot_dir, "--name", "parrot", *options])
