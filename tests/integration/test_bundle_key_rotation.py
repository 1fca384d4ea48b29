# SPDX-License-Identifier: Apache-2.0
"""A stock OPA while the key that signs bundles is rotated, and while somebody between us gives it old bundles again.

The control plane answers in this process, so that to restart it by other settings costs nothing.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from controlplane.app import create_app
from controlplane.bootstrap import assemble
from controlplane.services.feeds import Feed
from controlplane.services.model import Artifact
from policies.bundle.jws import load_signing_key, public_pem
from tests.control_planes import TOKENS, PlaneUnderTest, make_plane, sqlite_url
from tests.integration.test_stock_opa import GUARD, Asked, stock_opa
from tests.served_control_planes import BUNDLE, until

pytestmark = pytest.mark.opa

FEEDS = {BUNDLE: Feed.BUNDLE, "/opa/v1/production/discovery.tar.gz": Feed.DISCOVERY}


class Between:
    """Stands between OPA and the control plane `at`; what `instead` has by path it gives out itself.

    Long polls are answered at once, as by a service that has none, so that OPA asks every second or two.
    """

    def __init__(self, at: PlaneUnderTest) -> None:
        self.at = at
        self.instead: dict[str, bytes] = {}
        between = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                between._answer(self)

            def do_POST(self) -> None:
                between._answer(self)

            def log_message(self, *_: object) -> None:
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def _answer(self, asked: BaseHTTPRequestHandler) -> None:
        body = asked.rfile.read(int(asked.headers.get("Content-Length", "0")))
        kept = ("Authorization", "Content-Type", "Content-Encoding", "If-None-Match")
        headers = {name: asked.headers[name] for name in kept if name in asked.headers}
        content = self.instead.get(asked.path)
        status, etag = 200, '"replayed"'
        if content is None and asked.path in FEEDS:
            artifact = fed(self.at, asked.path)
            etag = f'"{artifact.etag}"'
            status, content = (304, b"") if headers.get("If-None-Match") == etag else (200, artifact.content)
        elif content is None:
            answer = self.at.call(asked.command, asked.path, None, data=body, headers=headers)
            status, etag, content = answer.status_code, "", answer.data
        asked.send_response(status)
        asked.send_header("Content-Type", "application/gzip")
        asked.send_header("Content-Length", str(len(content)))
        if etag:
            asked.send_header("ETag", etag)
        asked.end_headers()
        asked.wfile.write(content)


@contextmanager
def between(at: PlaneUnderTest) -> Iterator[Between]:
    found = Between(at)
    thread = threading.Thread(target=found.server.serve_forever, daemon=True)
    thread.start()
    try:
        yield found
    finally:
        found.server.shutdown()
        found.server.server_close()
        thread.join(5)


@contextmanager
def watched(opa: Asked) -> Iterator[list[bool]]:
    """Ask `opa` all the while, and give what it said; an OPA without a policy denies nothing."""
    said: list[bool] = []
    over = threading.Event()

    def ask() -> None:
        while not over.wait(0.02):
            said.append(opa.denies(513))

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield said
    finally:
        over.set()
        thread.join(10)


def boot(way: Between, *planes: PlaneUnderTest) -> dict[str, Any]:
    """Return what an OPA is booted with that has the keys of `planes`."""
    signers = [load_signing_key(each.settings.signing_key, key_id=each.settings.signing_key_id) for each in planes]
    return {
        "services": {
            "gatehouse": {
                "url": f"{way.url}/opa/v1/production",
                "credentials": {"bearer": {"token": TOKENS["agent"]}},
            }
        },
        "keys": {each.id: {"algorithm": "ES256", "key": public_pem(each), "scope": "read"} for each in signers},
        "discovery": {
            "service": "gatehouse",
            "resource": "discovery.tar.gz",
            "signing": {"scope": "read"},
            "polling": {"min_delay_seconds": 1, "max_delay_seconds": 2},
        },
    }


@pytest.fixture
def first(tmp_path) -> Iterator[PlaneUnderTest]:
    """A control plane with a guard in force, which signs by `gatehouse-1`."""
    made = make_plane(sqlite_url(tmp_path))
    made.release()
    assert post(made, "/v1/policies", source=GUARD.format(version=1, most=512)).status_code == 201
    made.activate(made.release()["id"])
    yield made
    made.store.close()


@pytest.fixture
def second(first) -> PlaneUnderTest:
    """The same, started anew with `gatehouse-2` alone."""
    key = ec.generate_private_key(ec.SECP256R1())
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return restarted(first, signing_key=pem, signing_key_id="gatehouse-2")


@pytest.fixture
def overlap(first, second) -> PlaneUnderTest:
    """The same, started with both."""
    return restarted(second, earlier_signing_key=first.settings.signing_key, earlier_signing_key_id="gatehouse-1")


def test_the_key_is_rotated_without_a_moment_without_policy(tmp_path, opa_binary, first, overlap):
    with between(first) as way, stock_opa(opa_binary, tmp_path, boot(way, first)) as opa:
        until(lambda: opa.denies(513))
        with watched(opa) as said:
            way.at = overlap
            overlap.plane.key_rotation.rotate("gatehouse-2")
            until(lambda: str(opa.revision()).startswith("2+") and ours(overlap)["drift"] == "none")
        assert set(said) == {True}


def test_an_opa_that_knows_both_keys_follows_through_the_whole_rotation(tmp_path, opa_binary, first, second, overlap):
    with between(first) as way, stock_opa(opa_binary, tmp_path, boot(way, first, second)) as opa:
        until(lambda: opa.denies(513))
        with watched(opa) as said:
            for serial, plane in (("2+", overlap), ("3+", second)):
                way.at = plane
                plane.plane.key_rotation.rotate("gatehouse-2")
                until(lambda serial=serial: str(opa.revision()).startswith(serial))
        assert set(said) == {True}


def test_what_the_removed_key_signed_is_refused_and_an_old_bundle_of_the_key_of_now_is_known(
    tmp_path, opa_binary, first, second
):
    by_the_removed_key = fed(first, BUNDLE).content
    second.plane.key_rotation.rotate("gatehouse-2")
    with between(second) as way, stock_opa(opa_binary, tmp_path, boot(way, second)) as opa:
        until(lambda: str(opa.revision()).startswith("2+"))
        with watched(opa) as said:
            way.instead[BUNDLE] = by_the_removed_key
            until(lambda: ours(second)["code"] == "bundle_error")
            assert (str(opa.revision())[:2], ours(second)["drift"]) == ("2+", "none")
            way.instead.clear()
            until(lambda: ours(second)["code"] is None)
        assert set(said) == {True}
        replayed = fed(second, BUNDLE).content
        second.activate(second.release()["id"])
        until(lambda: ours(second)["highest_serial"] == 3)
        way.instead[BUNDLE] = replayed
        until(lambda: ours(second)["drift"] == "replayed")
        assert (ours(second)["serial"], ours(second)["highest_serial"]) == (2, 3)
        way.instead.clear()
        until(lambda: ours(second)["drift"] == "none")


def restarted(at: PlaneUnderTest, **settings: Any) -> PlaneUnderTest:
    changed = replace(at.settings, **settings)
    plane = assemble(changed, at.store, clock=at.clock)
    return replace(at, plane=plane, app=create_app(plane, url="https://gatehouse.test"), settings=changed)


def fed(at: PlaneUnderTest, path: str) -> Artifact:
    artifact = at.plane.feeds.artifact(FEEDS[path], tenant="default", environment="production")
    assert artifact is not None
    return artifact


def post(at: PlaneUnderTest, path: str, **body: Any) -> Any:
    return at.call("POST", path, "author", json=body)


def ours(at: PlaneUnderTest) -> dict[str, Any]:
    """Return what the OPA says of our bundle; nothing where it said nothing yet."""
    found = at.call("GET", "/v1/opa-instances", "auditor").json["items"]
    bundles = [bundle for one in found for bundle in one["bundles"] if bundle["name"] == "gatehouse"]
    return bundles[0] if bundles else {"drift": None, "code": None, "serial": None, "highest_serial": None}
