# SPDX-License-Identifier: Apache-2.0
"""The real process over mTLS, asked by the openai package."""

import datetime as dt
import ipaddress
import json
import signal
import ssl
import subprocess
import sys
import time
from pathlib import Path

import httpx2
import openai
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.conftest import ROOT


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
    def __init__(self, port: int, authority: Authority, log: Path) -> None:
        self.url = f"https://127.0.0.1:{port}"
        self.authority = authority
        self.log = log
        self.context = authority.client_context(authority.folder / "ca.pem", "proxy")

    def http(self, context: ssl.SSLContext | None = None) -> httpx2.Client:
        return httpx2.Client(verify=context or self.context, trust_env=False, timeout=20)

    def openai(self, http: httpx2.Client) -> openai.OpenAI:
        return openai.OpenAI(base_url=f"{self.url}/v1", api_key="unused", http_client=http, max_retries=0)

    def events(self) -> list[dict]:
        return [json.loads(line) for line in self.log.read_text().splitlines()]


@pytest.fixture(scope="module")
def served(parrot_dir, tmp_path_factory):
    folder = tmp_path_factory.mktemp("served")
    authority = Authority(folder / "ca")
    certificate, key = authority.issue("inference")
    log = folder / "log"
    command = [sys.executable, "-m", "inference", "serve", "--model-dir", parrot_dir, "--port", "0"]
    command += ["--name", "parrot", "--name", "parrot-restricted"]
    command += ["--tls-cert", certificate, "--tls-key", key, "--client-ca", authority.folder / "ca.pem"]
    with log.open("w") as stderr:
        process = subprocess.Popen(command, cwd=ROOT, stderr=stderr)
    try:
        deadline = time.monotonic() + 60
        while not (listening := [e for e in _events(log) if e["event"] == "server_listening"]):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield Served(listening[0]["port"], authority, log)
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
    finally:
        process.kill()
        process.wait()


def _events(log: Path) -> list[dict]:
    return [json.loads(line) for line in log.read_text().splitlines() if line.endswith("}")]


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


def test_openai_raises_its_own_errors(client):
    with pytest.raises(openai.NotFoundError):
        client.completions.create(model="none", prompt="abc")
    with pytest.raises(openai.BadRequestError) as refused:
        client.completions.create(model="parrot", prompt="abc", n=2)
    assert (refused.value.param, refused.value.code) == ("n", "unsupported_parameter")


@pytest.mark.parametrize("peer", ["without-certificate", "of-another-ca"])
def test_a_stranger_is_refused_in_the_handshake(served, tmp_path, peer):
    trust = served.authority.folder / "ca.pem"
    stranger = Authority(tmp_path / "other")
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


@pytest.mark.parametrize(
    ("options", "text"),
    [
        pytest.param([], "no TLS", id="clear-text"),
        pytest.param(["--insecure-loopback", "--host", "0.0.0.0"], "loopback", id="clear-text-for-all"),
        pytest.param(["--tls-cert", __file__], "belong together", id="no-key"),
        pytest.param(["--tls-cert", __file__, "--tls-key", __file__], "no usable PEM", id="not-pem"),
    ],
)
def test_refuses_to_start(parrot_dir, options, text):
    command = [sys.executable, "-m", "inference", "serve", "--model-dir", parrot_dir, "--name", "parrot", "--port", "0"]
    refused = subprocess.run([*command, *options], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert refused.returncode == 2
    assert text in refused.stderr
