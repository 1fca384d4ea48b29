# SPDX-License-Identifier: Apache-2.0
"""Trying redaction: what would leave, who found what, and no trace of the text."""

import json

import pytest
import structlog

from controlplane.api.endpoint import SOURCE_BODY_BYTES
from tests.control_planes import ACCESS, ROUTES, make_plane, sqlite_url
from tests.streams import CARD, EMAIL

TEXT = f"é {EMAIL} {CARD}"
POLICY = """\
kind: redaction
id: {id}
version: "7"
mode: {mode}
spec:
  rules:
    - {{id: found, detectors: [{detector}], action: {action}}}
"""


def document(*, name="addresses", detector="email", action="replace", mode="enforce"):
    return POLICY.format(id=name, detector=detector, action=action, mode=mode)


def draft(filename="draft.yaml", **of):
    return {"filename": filename, "source": document(**of)}


@pytest.fixture
def under_test(tmp_path):
    return make_plane(sqlite_url(tmp_path))


@pytest.fixture(scope="module")
def stateless(tmp_path_factory):
    """A control plane for what changes nothing in it."""
    return make_plane(sqlite_url(tmp_path_factory.mktemp("redactions")))


def ask(under_test, body, role="author"):
    return under_test.call("POST", "/v1/redactions:test", role, json=body)


def refusal(under_test, body):
    answer = ask(under_test, body)
    return answer.status_code, answer.json["code"], {error["pointer"] for error in answer.json["errors"]}


def test_a_text_is_answered_with_what_would_leave_and_every_finding(stateless):
    answer = ask(stateless, {"text": TEXT, "documents": [draft()]})
    assert answer.status_code == 200, answer.text
    assert answer.json == {
        "text": f"é [redacted:email] {CARD}",
        "findings": [
            {
                "pointer": "/text",
                "type": "EMAIL_ADDRESS",
                "detector": "email",
                "policy": "addresses",
                "rule": "found",
                "action": "replace",
                "start": 2,
                "end": 2 + len(EMAIL),
                "score": 1.0,
            }
        ],
        "blocked_by": None,
        "policies": [{"id": "addresses", "version": "7", "mode": "enforce"}],
    }


def test_messages_come_back_as_messages(stateless):
    messages = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": f"I am {EMAIL}"}]
    answer = ask(stateless, {"messages": messages, "direction": "answer", "documents": [draft()]}).json
    assert answer["messages"] == [messages[0], {"role": "user", "content": "I am [redacted:email]"}]
    assert [each["pointer"] for each in answer["findings"]] == ["/messages/1/content"]
    assert "text" not in answer


def test_where_a_rule_blocks_nothing_leaves(stateless):
    body = {"text": TEXT, "documents": [draft(action="block")]}
    answer = ask(stateless, body).json
    assert answer["text"] is None
    assert answer["blocked_by"] == {"policy": "addresses", "rule": "found", "detector": "email"}
    assert [each["action"] for each in answer["findings"]] == ["block"]
    messages = [{"role": "user", "content": content} for content in ("hello", EMAIL)]
    both = ask(stateless, {"messages": messages, "direction": "answer", "documents": body["documents"]}).json
    assert (both["messages"], both["blocked_by"]) == (None, answer["blocked_by"])


def test_a_policy_that_only_looks_changes_nothing(stateless):
    answer = ask(stateless, {"text": TEXT, "documents": [draft(mode="observe")]}).json
    assert (answer["text"], [each["action"] for each in answer["findings"]]) == (TEXT, ["observe"])


def test_policies_of_the_working_set_are_tried_beside_new_ones(under_test):
    made = under_test.call("POST", "/v1/policies", "author", json={"source": document()})
    assert made.status_code == 201
    new = draft(name="cards", detector="payment-card")
    answer = ask(under_test, {"text": TEXT, "policies": ["addresses"], "documents": [new]}).json
    assert answer["text"] == "é [redacted:email] [redacted:payment-card]"
    assert [each["id"] for each in answer["policies"]] == ["addresses", "cards"]


def test_what_is_in_force_is_tried_unless_said(under_test):
    assert refusal(under_test, {"text": TEXT}) == (404, "nothing-published", set())
    for source in (ACCESS, ROUTES, document()):
        assert under_test.call("POST", "/v1/policies", "author", json={"source": source}).status_code == 201
    under_test.activate(under_test.release()["id"])
    assert ask(under_test, {"text": TEXT}).json["text"] == f"é [redacted:email] {CARD}"
    assert ask(under_test, {"text": TEXT, "environment": "production"}).json["policies"][0]["id"] == "addresses"
    assert refusal(under_test, {"text": TEXT, "environment": "moon"}) == (404, "environment-unknown", set())


def test_selectors_select(stateless):
    source = document().replace("spec:", "spec:\n  operations: [chat.completions]\n  models: [parrot]")
    body = {"text": EMAIL, "documents": [{"filename": "a.yaml", "source": source}]}
    selecting = {"operation": "chat.completions", "model": "parrot"}
    assert ask(stateless, body).json["text"] == "[redacted:email]"
    assert ask(stateless, body | selecting).json["text"] == "[redacted:email]"
    assert ask(stateless, body | selecting | {"model": "other"}).json["text"] == EMAIL


@pytest.mark.parametrize(
    ("body", "want"),
    [
        pytest.param({}, (400, "body-invalid", {""}), id="nothing"),
        pytest.param({"text": "", "messages": []}, (400, "body-invalid", {"/messages"}), id="no-message"),
        pytest.param(
            {"text": "", "messages": [{"role": "user", "content": ""}]}, (400, "body-invalid", {""}), id="both"
        ),
        pytest.param(
            {"messages": [{"role": "nobody", "content": ""}]},
            (400, "body-invalid", {"/messages/0/role"}),
            id="no-such-role",
        ),
        pytest.param({"text": "", "direction": "up"}, (400, "body-invalid", {"/direction"}), id="no-such-direction"),
        pytest.param({"text": "", "field": "other?"}, (400, "body-invalid", {"/field"}), id="no-such-field"),
        pytest.param(
            {"messages": [{"role": "user", "content": ""}], "field": "user"},
            (400, "body-invalid", {"/field"}),
            id="the-field-of-a-message",
        ),
        pytest.param({"text": "", "groups": ["a"]}, (400, "body-invalid", {"/groups"}), id="groups-of-nobody"),
        pytest.param(
            {"text": "", "environment": "production", "policies": ["a"]},
            (400, "body-invalid", {"/environment"}),
            id="an-environment-and-policies",
        ),
        pytest.param(
            {"text": "", "documents": [draft(), draft()]}, (400, "body-invalid", {"/documents"}), id="one-name-twice"
        ),
        pytest.param({"text": "x" * 262_145}, (400, "body-invalid", {"/text"}), id="too-long"),
        pytest.param(
            {"messages": [{"role": "user", "content": "x" * 131_073}] * 2},
            (400, "body-invalid", {"/messages"}),
            id="too-long-together",
        ),
        pytest.param({"text": "", "policies": ["a"]}, (400, "policy-unknown", {"/policies/0"}), id="unknown-policy"),
        pytest.param(
            {"text": "", "documents": [draft(detector="none")]},
            (400, "policy-rejected", {"/spec/rules/0/detectors/0"}),
            id="no-such-detector",
        ),
        pytest.param(
            {"text": "", "documents": [draft("a"), draft("b")]}, (400, "policies-invalid", {""}), id="one-id-twice"
        ),
    ],
)
def test_what_makes_no_sense_is_refused_with_its_place(stateless, body, want):
    assert refusal(stateless, body) == want


def test_a_policy_of_another_kind_is_refused_by_its_file(stateless):
    source = 'kind: limits\nid: l\nversion: "1"\nspec:\n  subjects: ["*"]\n  max_body_bytes: 1000\n'
    answer = ask(stateless, {"text": "", "documents": [{"filename": "l.yaml", "source": source}]})
    assert (answer.status_code, answer.json["code"]) == (400, "policies-invalid")
    assert answer.json["errors"] == [
        {
            "code": "not-redaction",
            "pointer": "",
            "message": "It redacts nothing.",
            "file": "l.yaml",
            "line": None,
            "column": None,
        }
    ]


def test_a_body_beyond_the_bound_is_not_read(stateless):
    answer = stateless.call(
        "POST",
        "/v1/redactions:test",
        "author",
        data=b" " * (4 * SOURCE_BODY_BYTES + 1),
        content_type="application/json",
    )
    assert answer.status_code == 413


def test_no_trace_of_the_text_stays(under_test, tmp_path):
    before = under_test.call("GET", "/v1/admin-events", "auditor").json
    with structlog.testing.capture_logs() as logged:
        for body in ({"text": TEXT, "documents": [draft()]}, {"text": TEXT, "documents": [draft(action="block")]}):
            assert ask(under_test, body, "auditor").status_code == 200
        assert ask(under_test, {"text": TEXT, "policies": ["none"]}).status_code == 400
    assert [each["event"] for each in logged] == ["request_served"] * 3
    assert EMAIL not in json.dumps(logged)
    assert under_test.call("GET", "/v1/admin-events", "auditor").json == before
    for file in tmp_path.iterdir():
        assert EMAIL.encode() not in file.read_bytes()
