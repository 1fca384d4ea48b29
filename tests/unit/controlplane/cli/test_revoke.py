# SPDX-License-Identifier: Apache-2.0
import hashlib
import json
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from controlplane.cli import revoke as under_test

TOKEN = b"aGVhZGVy.cGF5bG9hZA.c2lnbmF0dXJl\n"


class Api:
    def __init__(self):
        self.calls = []

    def post(self, path, body):
        self.calls.append(("POST", path, body))
        return SimpleNamespace(body={"id": "rev_1"})

    def put(self, path):
        self.calls.append(("PUT", path, None))

    def delete(self, path):
        self.calls.append(("DELETE", path, None))

    def get(self, path):
        self.calls.append(("GET", path, None))
        worker = {"node": "node-1", "slot": "0", "epoch": 2, "enforces": True}
        return SimpleNamespace(body={"epoch": 2, "enforced": True, "workers": [worker]})


@pytest.fixture
def api(monkeypatch):
    api = Api()
    monkeypatch.setattr(under_test, "api", lambda _role: api)
    return api


def run(*arguments, stdin=b""):
    result = CliRunner().invoke(under_test.revoke, arguments, input=stdin, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_a_token_is_named_by_the_digest_of_what_is_signed_and_not_sent(api):
    run("token", "--file", "-", "--reason", "stolen", stdin=TOKEN)
    digest = hashlib.sha256(b"aGVhZGVy.cGF5bG9hZA").hexdigest()
    body = {"sha256": digest, "reason": "stolen", "environment": "production"}
    assert api.calls == [("POST", "/v1/revoked-tokens", body)]


def test_a_token_is_named_by_its_id(api):
    assert run("token", "--issuer", "https://id.example", "--jti", "a-1") == "rev_1 is in force\n"
    [(_, _, body)] = api.calls
    assert body == {"issuer": "https://id.example", "jti": "a-1", "environment": "production"}


def test_a_subject_is_blocked_or_loses_what_it_had_before(api):
    run("subject", "user:alice")
    run("subject", "user:alice", "--issued-before", "2026-11-21T18:00:00Z")
    assert [(method, path) for method, path, _ in api.calls] == [
        ("PUT", "/v1/blocked-subjects/user%3Aalice?environment=production"),
        ("POST", "/v1/revoked-tokens"),
    ]


def test_a_key_is_revoked(api):
    assert json.loads(run("key", "01A", "--json")) == {"id": "01A", "revoked": True}
    assert api.calls == [("DELETE", "/v1/api-keys/01A", None)]


def test_it_is_shown_who_enforces_what(api):
    assert "epoch 2 is enforced by every worker" in (shown := run("status"))
    assert "node-1" in shown
