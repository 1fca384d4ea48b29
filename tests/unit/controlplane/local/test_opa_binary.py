# SPDX-License-Identifier: Apache-2.0
"""Where an OPA comes from, with stand-ins for the PATH, Go and the network."""

import hashlib
import platform
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from controlplane.local import opa_binary
from controlplane.local.opa_binary import OPA_VERSION, ensure_opa

WORKS = b"#!/bin/sh\necho 'Rego Version: v1'\n"


def place(path, content=WORKS):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    path.chmod(0o755)
    return path


@pytest.fixture
def bare(monkeypatch, tmp_path):
    """A machine with a shell, and neither OPA nor Go nor a network."""
    monkeypatch.delenv("GATEHOUSE_OPA_BINARY", raising=False)
    monkeypatch.setattr(opa_binary.shutil, "which", lambda _: None)
    monkeypatch.setattr(opa_binary, "_RELEASE", "http://127.0.0.1:9/")
    return tmp_path


def test_takes_the_one_that_is_configured(bare, monkeypatch):
    binary = place(bare / "mine" / "opa")
    monkeypatch.setenv("GATEHOUSE_OPA_BINARY", str(binary))
    assert ensure_opa(bare / "tools", announce=print).path == binary


def test_takes_the_one_on_the_path(bare, monkeypatch):
    binary = place(bare / "bin" / "opa")
    monkeypatch.setattr(opa_binary.shutil, "which", lambda name: str(binary) if name == "opa" else None)
    assert ensure_opa(bare / "tools", announce=print).path == binary


def test_passes_over_one_that_is_no_opa_1(bare, monkeypatch):
    old = place(bare / "bin" / "opa", b"#!/bin/sh\necho 'Rego Version: v0'\n")
    monkeypatch.setattr(opa_binary.shutil, "which", lambda name: str(old) if name == "opa" else None)
    assert ensure_opa(bare / "tools", announce=lambda _: None) is None


def test_builds_the_pinned_version_with_go(bare, monkeypatch):
    go = place(bare / "bin" / "go", b'#!/bin/sh\nprintf "%s" "$*" >$GOBIN/asked\ncp "$FAKE" $GOBIN/opa\n')
    monkeypatch.setenv("FAKE", str(place(bare / "fake")))
    monkeypatch.setattr(opa_binary.shutil, "which", lambda name: str(go) if name == "go" else None)
    found = ensure_opa(bare / "tools", announce=lambda _: None)
    assert found.origin == "built"
    asked = (bare / "tools" / "bin" / "asked").read_text()
    assert asked == f"install github.com/open-policy-agent/opa@v{OPA_VERSION}"
    assert ensure_opa(bare / "tools", announce=lambda _: None).origin == "kept"


@pytest.fixture
def release(monkeypatch):
    class Release(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(WORKS)

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Release)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()


def test_downloads_the_release_whose_digest_is_pinned(bare, release, monkeypatch):
    monkeypatch.setattr(opa_binary, "_RELEASE", release)
    monkeypatch.setattr(opa_binary, "_ASSETS", {platform.machine(): ("opa", hashlib.sha256(WORKS).hexdigest())})
    found = ensure_opa(bare / "tools", announce=lambda _: None)
    assert found.origin == "downloaded"
    assert found.path.read_bytes() == WORKS


def test_refuses_a_download_with_another_digest(bare, release, monkeypatch):
    monkeypatch.setattr(opa_binary, "_RELEASE", release)
    said = []
    assert ensure_opa(bare / "tools", announce=said.append) is None
    assert "not the pinned one" in said[-1]
    assert [path.name for path in (bare / "tools" / "bin").iterdir()] == []


def test_none_is_to_be_had(bare):
    assert ensure_opa(bare / "tools", announce=lambda _: None) is None
