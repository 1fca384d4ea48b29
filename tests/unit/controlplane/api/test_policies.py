# SPDX-License-Identifier: Apache-2.0
import pytest

from controlplane.services.rego_engines import GuardEngineName, RegoEngines
from tests.control_planes import ACCESS, ROUTES, make_plane, sqlite_url

UNKNOWN_KEY = ACCESS.replace("spec:", "sepc:")


@pytest.fixture
def under_test(tmp_path):
    return make_plane(sqlite_url(tmp_path))


def test_a_policy_is_created_once(under_test):
    made = under_test.call("POST", "/v1/policies", "author", json={"source": ACCESS})
    assert (made.status_code, made.json["id"], made.json["kind"]) == (201, "chat-access", "access")
    assert made.headers["ETag"] == f'"{made.json["revision"]}"'
    again = under_test.call("POST", "/v1/policies", "author", json={"source": ACCESS})
    assert (again.status_code, again.json["code"]) == (409, "policy-exists")


def test_the_source_comes_back_as_it_was_sent(under_test):
    under_test.call("POST", "/v1/policies", "author", json={"source": ACCESS + "# é\n"})
    assert under_test.call("GET", "/v1/policies/chat-access", "author").json["source"] == ACCESS + "# é\n"


def test_a_rejected_policy_says_where_and_is_not_stored(under_test):
    answer = under_test.call("POST", "/v1/policies", "author", json={"source": UNKNOWN_KEY, "filename": "access.yaml"})
    assert (answer.status_code, answer.json["code"]) == (400, "policy-rejected")
    assert answer.content_type == "application/problem+json"
    for error in answer.json["errors"]:
        assert error["file"] == "access.yaml"
        assert error["line"] >= 1
        assert error["code"]
        assert error["message"]
    assert under_test.call("GET", "/v1/policies", "author").json["items"] == []


def test_validation_stores_nothing_and_shows_everything(under_test):
    documents = [{"filename": "a.yaml", "source": UNKNOWN_KEY}, {"filename": "b.yaml", "source": "kind: ["}]
    answer = under_test.call("POST", "/v1/policies:validate", "author", json={"documents": documents})
    assert (answer.status_code, answer.json["valid"]) == (200, False)
    assert {item["file"] for item in answer.json["diagnostics"]} == {"a.yaml", "b.yaml"}
    documents = [{"filename": "a.yaml", "source": ACCESS}, {"filename": "b.yaml", "source": ROUTES}]
    answer = under_test.call("POST", "/v1/policies:validate", "author", json={"documents": documents})
    assert answer.json == {"valid": True, "diagnostics": [], "warnings": []}


@pytest.mark.parametrize(
    ("if_match", "want"),
    [
        pytest.param(None, (428, "if-match-missing"), id="missing"),
        pytest.param('"sha256:0"', (412, "state-changed"), id="stale"),
        pytest.param("unquoted", (400, "if-match-invalid"), id="not an entity tag"),
    ],
)
@pytest.mark.parametrize("method", ["POST", "DELETE"])
def test_changes_need_the_current_revision(under_test, if_match, want, method):
    under_test.call("POST", "/v1/policies", "author", json={"source": ACCESS})
    path = "/v1/policies/chat-access" + ("/revisions" if method == "POST" else "")
    headers = {} if if_match is None else {"If-Match": if_match}
    body = {"json": {"source": ACCESS + "\n"}} if method == "POST" else {}
    answer = under_test.call(method, path, "author", headers=headers, **body)
    assert (answer.status_code, answer.json["code"]) == want


def test_a_weak_tag_does_not_match(under_test):
    tag = under_test.call("POST", "/v1/policies", "author", json={"source": ACCESS}).headers["ETag"]
    answer = under_test.call("DELETE", "/v1/policies/chat-access", "author", headers={"If-Match": "W/" + tag})
    assert answer.status_code == 412


def test_a_revision_replaces_the_current_one_and_the_old_one_stays(under_test):
    first = under_test.call("POST", "/v1/policies", "author", json={"source": ACCESS})
    revised = under_test.call(
        "POST",
        "/v1/policies/chat-access/revisions",
        "author",
        json={"source": ACCESS.replace('"1"', '"2"')},
        headers={"If-Match": first.headers["ETag"]},
    )
    assert revised.status_code == 201
    assert under_test.call("GET", "/v1/policies/chat-access", "author").json["version"] == "2"
    old = under_test.call("GET", f"/v1/policies/chat-access/revisions/{first.json['revision']}", "author")
    assert old.json["source"] == ACCESS
    listed = under_test.call("GET", "/v1/policies/chat-access/revisions", "author").json["items"]
    assert {item["revision"] for item in listed} == {first.json["revision"], revised.json["revision"]}


def test_a_removed_policy_is_gone_from_the_set_but_its_revisions_stay(under_test):
    tag = under_test.call("POST", "/v1/policies", "author", json={"source": ACCESS}).headers["ETag"]
    assert under_test.call("DELETE", "/v1/policies/chat-access", "author", headers={"If-Match": tag}).status_code == 204
    assert under_test.call("GET", "/v1/policies/chat-access", "author").status_code == 404
    revision = tag.strip('"')
    assert under_test.call("GET", f"/v1/policies/chat-access/revisions/{revision}", "author").status_code == 200
    assert under_test.call("POST", "/v1/policies", "author", json={"source": ACCESS}).status_code == 201


def test_the_id_of_the_body_is_the_documents(under_test):
    answer = under_test.call("POST", "/v1/policies", "author", json={"source": ACCESS, "id": "other"})
    assert (answer.status_code, answer.json["errors"][0]["code"]) == (400, "id-differs")


BAD_REGO = """\
kind: guard
id: caps
version: "1"
spec:
  reasons: {too-many: "No more than this."}
  module: |
    package gatehouse.guard.caps
    deny contains "too-many" if input.request.max_tokens > most
"""
UNKNOWN_DETECTOR = """\
kind: redaction
id: cards
version: "1"
spec:
  operations: [chat.completions]
  rules:
    - {id: card, detectors: [crystal-ball], action: replace}
"""


def test_rego_and_detectors_are_checked_before_anything_is_stored(under_test):
    documents = [{"filename": "caps.yaml", "source": BAD_REGO}, {"filename": "cards.yaml", "source": UNKNOWN_DETECTOR}]
    found = under_test.call("POST", "/v1/policies:validate", "author", json={"documents": documents}).json
    assert [(each["code"], each["file"], each["pointer"]) for each in found["diagnostics"]] == [
        ("rego-refused", "caps.yaml", "/spec/module"),
        ("unknown-detector", "cards.yaml", "/spec/rules/0/detectors/0"),
    ]
    for document in documents:
        refused = under_test.call("POST", "/v1/policies", "author", json=document)
        assert (refused.status_code, refused.json["code"]) == (400, "policy-rejected")
        assert refused.json["errors"][0]["line"] > 1


def test_a_document_that_does_not_parse_hides_nothing_of_the_others(under_test):
    documents = [{"filename": "a.yaml", "source": "kind: ["}, {"filename": "caps.yaml", "source": BAD_REGO}]
    found = under_test.call("POST", "/v1/policies:validate", "author", json={"documents": documents}).json
    assert [each["file"] for each in found["diagnostics"]] == ["a.yaml", "caps.yaml"]
    assert found["diagnostics"][1]["code"] == "rego-refused"


@pytest.mark.opa
def test_opa_says_where_rego_is_wrong(tmp_path, opa_binary):
    with_opa = make_plane(sqlite_url(tmp_path), rego=RegoEngines(nodes=GuardEngineName.OPA, opa_binary=str(opa_binary)))
    refused = with_opa.call("POST", "/v1/policies", "author", json={"filename": "caps.yaml", "source": BAD_REGO})
    error = refused.json["errors"][0]
    assert (error["code"], error["file"], error["line"]) == ("rego-unsafe-var-error", "caps.yaml", 8)
