# SPDX-License-Identifier: Apache-2.0
"""Explanations over the API: what may be asked, and by whom."""

import pytest

from tests.control_planes import make_plane, sqlite_url
from tests.records import make_record

BOB = {"subject": "user:bob", "operation": "chat.completions", "model": "parrot"}


@pytest.fixture
def under_test(tmp_path):
    made = make_plane(sqlite_url(tmp_path))
    made.activate(made.release()["id"])
    return made


@pytest.mark.parametrize(
    ("role", "body", "want"),
    [
        pytest.param("author", {}, (400, "body-invalid"), id="nothing is asked"),
        pytest.param("author", {"subject": "user:bob"}, (400, "body-invalid"), id="half a question"),
        pytest.param("auditor", {**BOB, "decision": "req_1"}, (400, "body-invalid"), id="two questions"),
        pytest.param("author", {**BOB, "subject": "bob"}, (400, "body-invalid"), id="no subject"),
        pytest.param("author", {**BOB, "facts": {"n": "1"}}, (400, "body-invalid"), id="a text for a number"),
        pytest.param("author", {**BOB, "facts": {"colour": "red"}}, (400, "body-invalid"), id="no such fact"),
        pytest.param("author", {**BOB, "text": "a", "messages": []}, (400, "body-invalid"), id="texts twice"),
        pytest.param("author", {**BOB, "field": "user"}, (400, "body-invalid"), id="a field of no text"),
        pytest.param("author", {**BOB, "text": "a" * 16385}, (400, "body-invalid"), id="a long text"),
        pytest.param(
            "author",
            {**BOB, "messages": [{"role": "user", "content": "a" * 9000}] * 2},
            (400, "body-invalid"),
            id="long messages",
        ),
        pytest.param(
            "author",
            {**BOB, "credential": {"issuer": "x", "certificate": {"field": "cn", "name": "x"}}},
            (400, "body-invalid"),
            id="a token and a certificate",
        ),
        pytest.param("author", {**BOB, "release": "rel_none"}, (400, "release-unknown"), id="no such release"),
        pytest.param("author", {**BOB, "environment": "moon"}, (404, "environment-unknown"), id="no such environment"),
        pytest.param("author", {"decision": "req_b0_1"}, (403, "not-permitted"), id="not theirs to read"),
        pytest.param("agent", BOB, (403, "not-permitted"), id="an agent asks nothing"),
        pytest.param("auditor", {"decision": "req_none"}, (404, "decision-unknown"), id="no such request"),
        pytest.param("auditor", {"decision": "req_b0_1"}, (409, "not-replayable"), id="no input was kept"),
    ],
)
def test_what_cannot_be_explained_is_refused(under_test, role, body, want):
    under_test.ingest(make_record(seq=1))
    answer = under_test.call("POST", "/v1/explanations", role, json=body)
    assert (answer.status_code, answer.json["code"]) == want


def test_facts_that_are_said_are_decided_on(under_test):
    facts = {"stream": True, "max_tokens": None, "n": 1, "tools": ["find"], "roles": ["user"], "body_bytes": 2**40}
    answer = under_test.call("POST", "/v1/explanations", "author", json={**BOB, "facts": facts})
    assert (answer.status_code, [reason["code"] for reason in answer.json["reasons"]]) == (200, ["body-too-large"])
    assert {"what": "body_bytes", "to": 67_108_864, "effect": "allow", "reasons": []} in answer.json["differences"]


@pytest.mark.parametrize(
    ("credential", "code"),
    [
        pytest.param({"scope": {"operations": ["embeddings"]}}, "credential-scope-exceeded", id="a key's scope"),
        pytest.param({"issuer": "https://id.example"}, "credentials-invalid", id="an issuer of nobody"),
        pytest.param(
            {"certificate": {"field": "cn", "name": "job"}}, "credentials-invalid", id="no certificate's rule"
        ),
    ],
)
def test_who_would_not_be_let_in_is_refused_beside_the_decision(under_test, credential, code):
    answer = under_test.call("POST", "/v1/explanations", "author", json={**BOB, "credential": credential})
    assert (answer.json["effect"], [reason["code"] for reason in answer.json["reasons"]]) == ("deny", [code])
    assert [stage["stage"] for stage in answer.json["stages"]][:2] == ["identity", "scope"]


@pytest.mark.parametrize(
    "said",
    [
        pytest.param({"text": "Secret words", "field": "tool-result"}, id="a text"),
        pytest.param({"text": "Secret words", "direction": "answer"}, id="an answer"),
        pytest.param({"messages": [{"role": "tool", "content": "Secret words"}]}, id="messages"),
    ],
)
def test_texts_are_judged_and_never_said_again(under_test, said):
    answer = under_test.call("POST", "/v1/explanations", "author", json={**BOB, **said})
    assert (answer.status_code, answer.json["effect"]) == (200, "allow")
    assert {stage["stage"]: stage["verdict"] for stage in answer.json["stages"]}["redaction"] == "pass"
    assert "Secret" not in answer.text
