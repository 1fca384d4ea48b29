# SPDX-License-Identifier: Apache-2.0
"""Whatever is sent, the answer is an answer: never a 5xx."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from controlplane.api.openapi import DOCUMENT
from tests.control_planes import TOKENS, make_plane, sqlite_url

POSTS = {
    "/v1/policies": "author",
    "/v1/policies:validate": "author",
    "/v1/policies/a/revisions": "author",
    "/v1/policies/a/revisions/b:validate": "author",
    "/v1/redactions:test": "author",
    "/v1/policy-sets/default/releases": "author",
    "/v1/policy-sets/default/releases/a/approvals": "approver",
    "/v1/policy-sets/default/releases/a/approvals/b:withdraw": "approver",
    "/v1/policy-sets/default/releases/a:promote": "author",
    "/v1/policy-sets/default/releases/a/evidence": "approver",
    "/v1/activations/a/review": "approver",
    "/v1/activations": "approver",
    "/v1/activations/a:cancel": "approver",
    "/v1/activations/a:promote": "approver",
    "/v1/activations/a:rollback": "approver",
    "/v1/environments": "admin",
    "/v1/environments/production:rollback": "approver",
    "/v1/explanations": "author",
    "/v1/policies:test": "author",
    "/v1/replays": "author",
    "/v1/revoked-tokens": "admin",
    "/v1/tenants": "operator",
    "/v1/records": "agent",
    "/v1/agents/n1/status": "agent",
    "/v1/api-keys": "admin",
    "/v1/api-keys/a:rotate": "admin",
    "/v1/role-bindings": "admin",
    "/opa/v1/production/logs": "agent",
    "/opa/v1/production/logs/a": "agent",
    "/opa/v1/production/status": "agent",
    "/opa/v1/production/status/a": "agent",
    "/v1/exports": "auditor",
    "/v1/evidence-packs": "auditor",
    "/v1/operations/a:cancel": "auditor",
    "/v1/erasures": "admin",
    "/v1/legal-holds": "admin",
    "/v1/legal-holds/a:release": "approver",
    "/v1/hmac-lookups": "auditor",
    "/v1/retention:apply": "admin",
}
NAMES = st.sampled_from(
    [
        "id",
        "source",
        "filename",
        "documents",
        "policies",
        "description",
        "environment",
        "release",
        "node_id",
        "version",
        "workers",
        "slot",
        "pid",
        "serial",
        "epoch",
        "error",
        "spool",
        "rejected_bundle",
        "guard_engine",
        "subject",
        "expires_at",
        "name",
        "role",
        "text",
        "messages",
        "content",
        "direction",
        "field",
        "operation",
        "model",
        "groups",
    ],
)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["\x00", "\ud800"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES | st.text(max_size=5), inner, max_size=6),
    max_leaves=12,
)


@pytest.fixture(scope="module")
def under_test(tmp_path_factory):
    return make_plane(sqlite_url(tmp_path_factory.mktemp("hostile")))


def test_every_post_is_tried(under_test):
    documented = {
        path
        for path, operations in under_test.app.extensions[DOCUMENT]["paths"].items()
        if "post" in operations and "/access/v1/" not in path  # the edge's: tests/unit/controlplane/test_authzen.py
    }
    assert len(documented) == len(POSTS)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=VALUES)
@pytest.mark.parametrize("path", POSTS)
def test_no_body_is_too_much(under_test, path, value):
    kind = "application/x-ndjson" if path == "/v1/records" else "application/json"
    answer = under_test.call(
        "POST",
        path,
        POSTS[path],
        data=json.dumps(value).encode(),
        content_type=kind,
        headers={"If-Match": "*"},
    )
    assert answer.status_code < 500, answer.text


@pytest.mark.parametrize("path", POSTS)
@pytest.mark.parametrize(
    "body",
    [b"", b"\xff", b"[" * 100_000, b'{"a":1,"a":2}', b"1e999", b"9" * 10_000, b'"\\u0000"', b"NaN"],
    ids=lambda body: repr(body[:12]),
)
def test_bytes_that_are_not_strict_json(under_test, path, body):
    kind = "application/x-ndjson" if path == "/v1/records" else "application/json"
    answer = under_test.call("POST", path, POSTS[path], data=body, content_type=kind, headers={"If-Match": "*"})
    assert answer.status_code < 500, answer.text


@pytest.mark.parametrize(
    "path", ["/v1/policies/%00", "/v1/policies/%ff", "/v1/decisions/%ed%a0%80", "/v1/agents/a?x=%00"]
)
def test_paths_no_database_keeps(under_test, path):
    for role in TOKENS:
        assert under_test.call("GET", path, role).status_code in {400, 403, 404}


@pytest.mark.parametrize(
    ("authorization", "want"),
    [
        pytest.param(None, "token-missing", id="none"),
        pytest.param("Bearer", "token-invalid", id="no token"),
        pytest.param("Bearer " + "x" * 100_000, "token-invalid", id="huge"),
        pytest.param("Bearer " + "x" * 40, "token-invalid", id="unknown"),
        pytest.param("Basic " + TOKENS["admin"], "token-invalid", id="another scheme"),
        pytest.param("Bearer " + TOKENS["admin"] + " ", "token-invalid", id="with a space"),
    ],
)
def test_only_a_known_token_is_taken(under_test, authorization, want):
    headers = {} if authorization is None else {"Authorization": authorization}
    answer = under_test.call("GET", "/v1/policies", None, headers=headers)
    assert (answer.status_code, answer.json["code"]) == (401, want)
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
