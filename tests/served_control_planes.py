# SPDX-License-Identifier: Apache-2.0
"""The control plane as processes, for integration tests: prepared, served, called, killed."""

import json
import os
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

# Made once: loading the authorities is most of the time that a call takes, and these calls are without TLS.
_TLS = ssl.create_default_context()
TOKENS = {role: f"ght_{role}_" + "0" * 32 for role in ("admin", "author", "approver", "auditor", "agent")}
BUNDLE = "/opa/v1/production/bundles/gatehouse.tar.gz"
CREDENTIALS = "/opa/v1/production/credentials"
# Starting takes a second, and many on a machine that does other things.
_STARTED_WITHIN_S = 60.0
ACCESS = """\
kind: access
id: chat-access
version: "1"
spec:
  grants:
    - {id: chat, effect: allow, subjects: ["user:alice"], models: [parrot], operations: [chat.completions]}
"""
ROUTES = """\
kind: routes
id: openai-routes
version: "1"
spec:
  routes:
    - {id: chat, method: POST, path: /v1/chat/completions, operation: chat.completions, dialect: openai.chat}
"""


@dataclass
class Served:
    process: subprocess.Popen[bytes]
    url: str

    def call(self, method: str, path: str, role: str, **arguments: Any) -> httpx.Response:
        """Call the API with the token of `role`, on a connection of its own."""
        headers = {"Authorization": f"Bearer {TOKENS[role]}"} | arguments.pop("headers", {})
        with httpx.Client(base_url=self.url, trust_env=False, timeout=20, verify=_TLS) as client:
            return client.request(method, path, headers=headers, **arguments)

    def park(self, path: str, etag: str, *, wait_s: int = 10) -> tuple[httpx.Response, float]:
        """Ask the feed for something newer; return the answer and when it came."""
        headers = {"If-None-Match": etag, "Prefer": f"modes=snapshot;wait={wait_s}"}
        answer = self.call("GET", path, "agent", headers=headers)
        return answer, time.monotonic()


def make_environment(folder: Path) -> dict[str, str]:
    """Return the settings of a control plane over SQLite in `folder`, with keys of its own."""
    private = ec.generate_private_key(ec.SECP256R1())
    (folder / "key.pem").write_bytes(
        private.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ),
    )
    (folder / "hex").write_text("ab" * 32)
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.environ.get("PYTHONPATH", ""),
        "GATEHOUSE_DATABASE_URL": f"sqlite:///{folder / 'gatehouse.db'}",
        "GATEHOUSE_SIGNING_KEY_FILE": str(folder / "key.pem"),
        "GATEHOUSE_KEY_PEPPER_FILE": str(folder / "hex"),
        "GATEHOUSE_PSEUDONYM_KEY_FILE": str(folder / "hex"),
        "GATEHOUSE_PAYLOAD_KEY_FILE": str(folder / "hex"),
    }


def public_key(environment: dict[str, str]) -> bytes:
    """Return the public half of the environment's signing key, in PEM."""
    pem = Path(environment["GATEHOUSE_SIGNING_KEY_FILE"]).read_bytes()
    public = serialization.load_pem_private_key(pem, password=None).public_key()
    return public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def initialise(environment: dict[str, str], text: str = json.dumps(TOKENS)) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "controlplane", "init"]
    return subprocess.run(command, env=environment, input=text.encode(), capture_output=True, timeout=60, check=False)


@contextmanager
def served(environment: dict[str, str], port: int) -> Iterator[Served]:
    process = subprocess.Popen(
        [sys.executable, "-m", "controlplane"],
        env=environment | {"GATEHOUSE_API_PORT": str(port)},
        stderr=subprocess.DEVNULL,
    )
    found = Served(process, f"http://127.0.0.1:{port}")
    try:
        until(lambda: answers(found), within_s=_STARTED_WITHIN_S)
        yield found
    finally:
        process.kill()
        process.wait(timeout=10)


def answers(found: Served) -> bool:
    if found.process.poll() is not None:
        pytest.fail(f"the control plane ended with {found.process.returncode}")
    try:
        return httpx.get(found.url + "/readyz", trust_env=False, verify=_TLS).status_code == 200
    except httpx.TransportError:
        return False


def until(condition: Callable[[], bool], *, within_s: float = 60) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail("it did not happen in time")
        time.sleep(0.05)


def another_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def make_release(api: Served) -> str:
    for source in (ACCESS, ROUTES):
        api.call("POST", "/v1/policies", "author", json={"source": source})
    made = api.call("POST", "/v1/policy-sets/default/releases", "author", json={})
    assert made.status_code == 201, made.text
    return str(made.json()["id"])


def activate(api: Served, release: str) -> None:
    etag = api.call("GET", "/v1/environments/production", "approver").headers["ETag"]
    body = {"release": release, "environment": "production"}
    made = api.call("POST", "/v1/activations", "approver", json=body, headers={"If-Match": etag})
    assert made.status_code == 201, made.text
