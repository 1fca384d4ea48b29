# SPDX-License-Identifier: Apache-2.0
"""`gatehouse release gate` against a proxy that decides as staging would, and puts it on record."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from controlplane.cli import release_gate
from tests.control_planes import ACCESS, ROUTES
from tests.records import make_record

TESTS = """\
  - name: mallory may not
    canary: true
    request: {subject: user:mallory, operation: chat.completions, model: parrot}
    expect: {effect: deny}
  - name: alice may
    canary: true
    request: {subject: user:alice, operation: chat.completions, model: parrot}
    expect: {effect: allow}
  - name: carol at night
    canary: true
    request: {subject: user:carol, operation: chat.completions, model: parrot, time: "2026-01-01T03:00:00Z"}
    expect: {effect: deny}
"""


@pytest.fixture
def proxy(under_test):
    """A proxy that knows two keys and refuses mallory; what it decides is on record before it answers."""
    asked = []

    class Proxy(BaseHTTPRequestHandler):
        refuses = frozenset({"user:mallory"})
        upstream_refuses = False

        def do_POST(self):
            asked.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            subject = {"Bearer key-m": "user:mallory", "Bearer key-a": "user:alice"}[self.headers["Authorization"]]
            denied = subject in self.refuses
            status, outcome = (403, "deny") if denied else (200, "allow")
            failed = self.upstream_refuses and not denied
            status, outcome = (400, "error_deny") if failed else (status, outcome)
            http = {"method": "POST", "route": "chat", "status": status, "bytes_in": 1, "bytes_out": 1, "stream": False}
            members = {"subject": subject, "outcome": outcome, "http": http, "serial": 1, "environment": "staging"}
            members |= {"reasons": (("upstream-refused", ""),)} if failed else {}
            under_test.ingest(make_record(seq=len(asked), **members))
            body = b'{"error":{"code":"upstream-refused"}}' if failed else b"{}"
            self.send_response(status)
            self.send_header("x-request-id", f"req_b0_{len(asked)}")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}", Proxy, asked
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def released(under_test):
    with under_test.store.write() as session:
        session.environments.ensure("default", "staging")
    for source in (ACCESS + TESTS, ROUTES):
        assert under_test.call("POST", "/v1/policies", "author", json={"source": source}).status_code == 201
    path = "/v1/policy-sets/default/releases"
    answer = under_test.call("POST", path, "author", json={"environment": "staging"})
    assert answer.status_code == 201, answer.text
    made = answer.json
    body = {"release": made["id"], "environment": "staging"}
    answer = under_test.call("POST", "/v1/activations", "approver", json=body, headers={"If-Match": "*"})
    assert answer.status_code == 201, answer.text
    return made["id"]


@pytest.fixture
def keys(tmp_path):
    for name in ("a", "m"):
        (tmp_path / name).write_text(f"key-{name}\n")
    return ("--key", f"user:alice={tmp_path / 'a'}", "--key", f"user:mallory={tmp_path / 'm'}")


def test_a_release_that_refuses_and_passes_what_it_should_has_its_evidence(gatehouse, released, proxy, keys):
    url, _, asked = proxy
    passed = gatehouse("release", "gate", released, "--proxy", url, *keys)
    assert passed.exit_code == 0, passed.stderr
    assert passed.stdout == f"{released} passed must-refuse in staging: 2 decisions\n"
    assert "chat-access: carol at night" in passed.stderr
    assert [body["model"] for body in asked] == ["parrot", "parrot"]


def test_a_proxy_that_answers_otherwise_leaves_no_evidence(under_test, gatehouse, released, proxy, keys):
    url, handler, _ = proxy
    handler.refuses = frozenset()
    failed = gatehouse("release", "gate", released, "--proxy", url, *keys)
    assert (failed.exit_code, "chat-access: mallory may not: answered 200" in failed.stderr) == (1, True)
    path = f"/v1/policy-sets/default/releases/{released}/evidence"
    assert under_test.call("GET", path, "auditor").json["items"] == []


def test_every_subject_needs_a_key_that_can_be_read(gatehouse, released, proxy, keys):
    lacking = gatehouse("release", "gate", released, "--proxy", proxy[0], *keys[:2])
    assert (lacking.exit_code, "user:mallory" in lacking.stderr) == (2, True)
    unreadable = gatehouse("release", "gate", released, "--proxy", proxy[0], "--key", "user:alice=/nowhere/at/all")
    assert (unreadable.exit_code, "SUBJECT=FILE" in unreadable.stderr) == (2, True)
    assert gatehouse("release", "gate", released).exit_code == 2


def test_a_model_that_cannot_answer_what_policy_allows_is_no_failure_of_policy(gatehouse, released, proxy, keys):
    proxy[1].upstream_refuses = True
    passed = gatehouse("release", "gate", released, "--proxy", proxy[0], *keys, "--json")
    assert passed.exit_code == 0, passed.stderr
    told = json.loads(passed.stdout)["items"][0]["summary"]
    assert told["upstream_failed"] == ["chat-access: alice may (upstream-refused)"]


def test_a_subject_without_a_key_is_not_asked_for_where_it_must_be_refused(gatehouse, released, proxy, keys):
    url, _, asked = proxy
    out = gatehouse("release", "gate", released, "--proxy", url, *keys[:2], "--without-key", "user:mallory")
    # It is all that must be refused: nothing was tried then, and the control plane does not take it for evidence.
    assert (out.exit_code, "request-missing" in out.stderr or "gate-not-passed" in out.stderr) == (1, True)
    assert "not sent, because user:mallory has no key: chat-access: mallory may not" in out.stderr
    assert len(asked) == 1
    lacking = gatehouse("release", "gate", released, "--proxy", url, *keys[2:], "--without-key", "user:alice")
    assert (lacking.exit_code, "--key user:alice=FILE" in lacking.stderr) == (2, True)


def test_a_report_of_the_suite_is_handed_in_as_it_is(gatehouse, released, tmp_path, monkeypatch):
    monkeypatch.setattr(release_gate, "_LOGGED_WITHIN_S", 0.0)
    report = tmp_path / "report.json"
    report.write_text(json.dumps({"gateway": "gatehouse", "rows": {}, "cases": []}))
    refused = gatehouse("release", "gate", released, "--suite", report, "--json")
    assert (refused.exit_code, json.loads(refused.stdout)["code"]) == (1, "gate-not-passed")
    report.write_text("[]")
    assert gatehouse("release", "gate", released, "--suite", report).exit_code == 2


@pytest.fixture
def gate(gatehouse, released, proxy, keys):
    return lambda: gatehouse("release", "gate", released, "--proxy", proxy[0], *keys)


def test_what_the_log_does_not_have_yet_is_asked_for_again(under_test, gate, monkeypatch):
    ingest, held = under_test.ingest, []
    monkeypatch.setattr(under_test, "ingest", held.append)
    monkeypatch.setattr(release_gate.time, "sleep", lambda _: ingest(*held))
    assert gate().exit_code == 0
