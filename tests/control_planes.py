# SPDX-License-Identifier: Apache-2.0
"""A control plane for tests: real store, real keys, and a clock that a test may turn."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from flask import Flask
from werkzeug.test import TestResponse

from controlplane.__main__ import prepare
from controlplane.app import create_app
from controlplane.bootstrap import ControlPlane, assemble
from controlplane.sealing import KeyRing
from controlplane.services.rego_engines import GuardEngineName, RegoEngines
from controlplane.settings import WITHOUT_LOG_KEY, LogSettings, StoreSettings
from controlplane.store.engine import open_database
from controlplane.store.migrate import migrate
from controlplane.store.store import SqlStore
from policies.contracts.record import DecisionRecord
from tests.records import NOON, PSEUDONYM_KEY

WITHOUT_OPA = RegoEngines(nodes=GuardEngineName.EMBEDDED, opa_binary=None)
PAYLOAD_KEYS = KeyRing([b"k" * 32])
ROLES = ("admin", "author", "approver", "auditor", "agent", "investigator", "pep", "operator")
TOKENS = {role: f"ght_{role}_" + "0" * 32 for role in ROLES}

ACCESS = """\
kind: access
id: chat-access
version: "1"
spec:
  groups:
    staff: [user:alice, user:bob]
  grants:
    - {id: staff-chat, effect: allow, subjects: [group:staff], models: [parrot], operations: [chat.completions]}
tests:
  - name: bob may chat
    request: {subject: user:bob, operation: chat.completions, model: parrot}
    expect: {effect: allow}
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
class TurnableClock:
    now: datetime = NOON

    def __call__(self) -> datetime:
        return self.now

    def turn(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@dataclass
class PlaneUnderTest:
    plane: ControlPlane
    app: Flask
    store: SqlStore
    clock: TurnableClock
    public_key: bytes
    settings: StoreSettings
    last: dict[str, Any] = field(default_factory=dict)

    def call(self, method: str, path: str, role: str | None, **arguments: Any) -> TestResponse:
        """Call an endpoint with the token of `role`."""
        headers = {"Authorization": f"Bearer {TOKENS[role]}"} if role else {}
        headers |= arguments.pop("headers", {})
        return self.app.test_client().open(path, method=method, headers=headers, **arguments)

    def release(self) -> dict[str, Any]:
        """Return a release of the two policies above, made once."""
        if not self.call("GET", "/v1/policies", "author").json["items"]:
            for source in (ACCESS, ROUTES):
                made = self.call("POST", "/v1/policies", "author", json={"source": source})
                assert made.status_code == 201, made.text
        made = self.call("POST", "/v1/policy-sets/default/releases", "author", json={})
        assert made.status_code == 201, made.text
        return made.json

    def activate(self, release: str) -> dict[str, Any]:
        etag = self.call("GET", "/v1/environments/production", "approver").headers["ETag"]
        body = {"release": release, "environment": "production"}
        made = self.call("POST", "/v1/activations", "approver", json=body, headers={"If-Match": etag})
        assert made.status_code == 201, made.text
        return made.json

    def ingest(self, *records: DecisionRecord) -> TestResponse:
        return self.ingest_bytes(b"".join(record.to_line() for record in records))

    def work(self) -> int:
        """Do the jobs that wait, as the thread of a real process would, and return how many there were."""
        done = 0
        while self.plane.jobs.work_one():
            done += 1
        return done

    def ingest_bytes(self, batch: bytes) -> TestResponse:
        return self.call("POST", "/v1/records", "agent", data=batch, content_type="application/x-ndjson")


def make_plane(
    database_url: str, *, rego: RegoEngines = WITHOUT_OPA, log: LogSettings = WITHOUT_LOG_KEY
) -> PlaneUnderTest:
    private = ec.generate_private_key(ec.SECP256R1())
    settings = StoreSettings(
        database_url=database_url,
        signing_key=private.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ),
        signing_key_id="gatehouse-1",
        key_pepper=b"p" * 32,
        pseudonym_key=PSEUDONYM_KEY,
        payload_keys=PAYLOAD_KEYS,
        rego=rego,
        export_dir=Path(database_url.removeprefix("sqlite:///")).parent / "exports",
    )
    engine = open_database(database_url)
    migrate(engine)
    store, clock = SqlStore(engine, PAYLOAD_KEYS), TurnableClock()
    plane = assemble(settings, store, log=log, clock=clock)
    prepare(plane, TOKENS)
    public = private.public_key().public_bytes(
        serialization.Encoding.PEM,
        serialization.PublicFormat.SubjectPublicKeyInfo,
    )
    return PlaneUnderTest(plane, create_app(plane, url="https://gatehouse.test"), store, clock, public, settings)


def sqlite_url(folder: Path) -> str:
    return f"sqlite:///{folder / 'gatehouse.db'}"
