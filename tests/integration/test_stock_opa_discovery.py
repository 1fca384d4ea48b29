# SPDX-License-Identifier: Apache-2.0
"""A stock OPA that knows our address, a token and our public key, and nothing else: it discovers the rest."""

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import product
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from controlplane.services.rego_engines import GuardEngineName, RegoEngines
from policies.bundle.discovery import pack_discovery
from policies.bundle.jws import SigningKey
from policies.bundle.pack import pack
from policies.bundle.verify import verify
from policies.contracts.decision import EngineAnswer, PolicyAnswer
from policies.contracts.request import EvaluationRequest, RequestFacts, Resource, Subject
from policies.contracts.snapshot import PolicySnapshot
from policies.engines.casbin import CasbinAccess
from policies.engines.groups import groups_of
from policies.engines.guard_answer import read_guards
from policies.engines.guard_input import guard_input
from tests.integration.test_stock_opa import Asked, decisions_of_opa, instances, stock_opa
from tests.served_control_planes import (
    BUNDLE,
    TOKENS,
    Served,
    activate,
    initialise,
    make_environment,
    make_release,
    public_key,
    served,
    until,
)
from tests.signing import SNAPSHOT

pytestmark = pytest.mark.opa

DISCOVERY = "/opa/v1/production/discovery.tar.gz"
CAPS = """\
kind: guard
id: caps
version: "{version}"
spec:
  reasons: {{too-many: "No more than this.", no-shell: "No shell.", not-at-night: "Not now."}}
  data: {{max_tokens: {most}}}
  module: |
    package gatehouse.guard.caps
    deny contains "too-many" if input.request.max_tokens > data.gatehouse.guard_data.caps.max_tokens
    deny contains "no-shell" if {{
      some tool in input.request.tools
      startswith(lower(tool), "shell")
    }}
    deny contains "not-at-night" if time.clock(time.parse_rfc3339_ns(input.context.time))[0] < 6
"""
STAFF = """\
kind: guard
id: staff
version: "1"
spec:
  module: |
    package gatehouse.guard.staff
    allow if {
      input.access.effect == "not_applicable"
      regex.match(`^svc-[a-z]+$`, input.subject.id)
    }
"""


def boot(environment: dict[str, str], api: Served) -> dict[str, Any]:
    """Return all that the operator of an OPA is told."""
    return {
        "services": {
            "gatehouse": {
                "url": f"{api.url}/opa/v1/production",
                "credentials": {"bearer": {"token": TOKENS["agent"]}},
            },
        },
        "keys": {"gatehouse-1": {"algorithm": "ES256", "key": public_key(environment).decode(), "scope": "read"}},
        "discovery": {
            "service": "gatehouse",
            "resource": "discovery.tar.gz",
            "signing": {"keyid": "gatehouse-1", "scope": "read"},
            "polling": {"min_delay_seconds": 1, "max_delay_seconds": 2, "long_polling_timeout_seconds": 30},
        },
    }


def put(api: Served, source: str, etag: str | None = None) -> str:
    path, headers = ("/v1/policies", {}) if etag is None else ("/v1/policies/caps/revisions", {"If-Match": etag})
    made = api.call("POST", path, "author", json={"source": source}, headers=headers)
    assert made.status_code == 201, made.text
    return made.headers["ETag"]


def test_it_boots_discovers_follows_reports_and_answers_as_the_proxy(tmp_path, free_port, opa_binary):
    environment = make_environment(tmp_path) | {"GATEHOUSE_OPA_BINARY": str(opa_binary)}
    assert initialise(environment).returncode == 0
    with served(environment, free_port) as api:
        etag = put(api, CAPS.format(version=1, most=512))
        put(api, STAFF)
        activate(api, make_release(api))
        with stock_opa(opa_binary, tmp_path, boot(environment, api)) as opa:
            until(lambda: opa.denies(513))
            put(api, CAPS.format(version=2, most=100), etag)
            activate(api, make_release(api))
            activated_at = time.monotonic()
            until(lambda: str(opa.revision()).startswith("2+sha256:"))
            # The bundle is long polled, although the operator configured none of it.
            assert time.monotonic() - activated_at < 5
            _answers_as_the_guard_stage(api, environment, opa, str(opa_binary))
            until(lambda: _reported(api) == ("none", None))
            (known,) = instances(api)
            assert known["desired_revision"] == opa.revision()
            assert (known["dropped"], known["bundles"][0]["highest_serial"]) == (0, 2)
            until(lambda: len(decisions_of_opa(api)) >= 10)
        _is_a_bundle_like_any(api)


@pytest.mark.parametrize("told", [True, False], ids=["told", "not-told"])
def test_a_key_that_discovery_tells_of_signs_bundles_while_the_first_signs_discovery(tmp_path, opa_binary, told):
    old, new = (SigningKey(id=name, key=ec.generate_private_key(ec.SECP256R1())) for name in ("k-1", "k-2"))
    pems = {each.id: _pem(each) for each in (old, new)}
    files = {
        "/discovery.tar.gz": pack_discovery(old, further_keys={"k-2": pems["k-2"]} if told else {}),
        "/bundles/gatehouse.tar.gz": pack(SNAPSHOT, serial=9, signer=new).content,
    }
    with _serving(files) as url, stock_opa(opa_binary, tmp_path, _boot(url, pems["k-1"])) as opa:
        if told:
            until(lambda: str(opa.revision()).startswith("9+sha256:"))
        else:
            until(lambda: opa.answer(0) != {})
            time.sleep(2)
            assert opa.revision() is None


def _pem(signer: SigningKey) -> str:
    public = signer.key.public_key()
    return public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()


def _boot(url: str, key: str) -> dict[str, Any]:
    return {
        "services": {"gatehouse": {"url": url}},
        "keys": {"k-1": {"algorithm": "ES256", "key": key, "scope": "read"}},
        "discovery": {
            "service": "gatehouse",
            "resource": "discovery.tar.gz",
            "signing": {"keyid": "k-1", "scope": "read"},
        },
    }


@contextmanager
def _serving(files: dict[str, bytes]) -> Iterator[str]:
    """Serve `files` as a bundle service that does not poll long, and take whatever is reported."""

    class Files(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            content = files.get(self.path, b"")
            self.send_response(200 if content else 404)
            self.send_header("Content-Type", "application/gzip")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", "0")))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Files)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


def _is_a_bundle_like_any(api: Served) -> None:
    first = api.call("GET", DISCOVERY, "agent")
    assert (first.status_code, first.headers["Content-Type"]) == (200, "application/vnd.openpolicyagent.bundles")
    known = {"If-None-Match": first.headers["ETag"], "Prefer": "modes=snapshot,delta;wait=1"}
    again = api.call("GET", DISCOVERY, "agent", headers=known)
    assert (again.status_code, again.headers["ETag"], again.content) == (304, first.headers["ETag"], b"")
    assert api.call("GET", DISCOVERY, "auditor").status_code == 403
    assert api.call("GET", DISCOVERY.replace("production", "moon"), "agent").status_code == 404


def _reported(api: Served) -> tuple[str | None, int | None]:
    found = instances(api)
    bundles = [bundle for one in found for bundle in one["bundles"] if bundle["name"] == "gatehouse"]
    return (bundles[0]["drift"], found[0]["lag_s"]) if bundles else (None, None)


def _requests() -> list[EvaluationRequest]:
    subjects = ("alice", "mallory", "svc-build", "svc-1")
    tools = ((), ("shell",), ("SHELL_exec", "read"), ("ſhell",), ("read",))
    hours = (3, 12)
    return [
        EvaluationRequest(
            request_id="req_1",
            tenant="default",
            environment="production",
            subject=Subject(type="user", id=subject),
            action="chat.completions",
            resource=Resource(type="model", id="parrot"),
            facts=RequestFacts(max_tokens=most, tools=offered),
            at=datetime(2026, 11, 20, hour, tzinfo=UTC),
        )
        for subject, most, offered, hour in product(subjects, (None, 0, 100, 101), tools, hours)
    ]


def _answers_as_the_guard_stage(api: Served, environment: dict[str, str], opa: Asked, binary: str) -> None:
    """Ask the stock OPA and the engine of our pipeline the same, over the snapshot that the bundle has."""
    raw = api.call("GET", BUNDLE, "agent").content
    keys = {"gatehouse-1": public_key(environment)}
    snapshot = verify(raw, keys=keys, tenant="default", environment="production", newer_than=None).snapshot
    access = CasbinAccess(snapshot)
    asked = [(request, access.evaluate(request)) for request in _requests()]
    want = asyncio.run(_guard_stage(snapshot, asked, binary))
    got = []
    with httpx.Client(base_url=opa.url, trust_env=False) as client:
        for request, accessed in asked:
            question = guard_input(request, groups=groups_of(snapshot, request.subject), access=accessed)
            answer = client.post("/v1/data/gatehouse/main", json={"input": question}).json()
            got.append(read_guards(answer["result"]["guards"], snapshot=snapshot, engine="opa", duration_us=0).answers)
    assert got == want
    assert len({tuple(answer.outcome for answer in answers) for answers in got}) > 2


async def _guard_stage(
    snapshot: PolicySnapshot, asked: list[tuple[EvaluationRequest, EngineAnswer]], binary: str
) -> list[tuple[PolicyAnswer, ...]]:
    rego = RegoEngines(nodes=GuardEngineName.OPA, opa_binary=binary)
    async with rego.guard(replace(snapshot)) as guard:
        return [(await guard.evaluate(request, accessed)).answers for request, accessed in asked]
