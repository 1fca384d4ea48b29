# SPDX-License-Identifier: Apache-2.0
"""What is signed of a release, and that rules without a test do not go unnoticed."""

import pytest

from policies.bundle.release import verify_release
from tests.control_planes import ACCESS, ROUTES, make_plane, sqlite_url

RELEASES = "/v1/policy-sets/default/releases"
RULES = "/v1/environments/production/rules"

UNTESTED = """\
kind: access
id: night-access
version: "1"
spec:
  grants:
    - {id: ops-chat, effect: allow, subjects: [user:carol], models: [parrot], operations: [chat.completions]}
"""


@pytest.fixture
def under_test(tmp_path):
    made = make_plane(sqlite_url(tmp_path))
    assert made.call("POST", "/v1/policies", "author", json={"source": UNTESTED}).status_code == 201
    for source in (ACCESS, ROUTES):
        assert made.call("POST", "/v1/policies", "author", json={"source": source}).status_code == 201
    return made


def test_a_release_is_signed_and_shown_with_its_manifest(under_test):
    made = under_test.release()
    manifest = verify_release(made["manifest"], {"gatehouse-1": under_test.public_key})
    assert (manifest.id, manifest.revision, manifest.environment) == (made["id"], made["revision"], "production")
    assert dict(manifest.policies) == made["policies"]
    assert (manifest.author, manifest.promoted_from, manifest.test_count) == ("author", None, 1)
    assert under_test.call("GET", f"{RELEASES}/{made['id']}", "auditor").json == made


def test_rules_that_no_test_tries_are_told_and_signed(under_test):
    made = under_test.release()
    assert made["untested"] == ["night-access/ops-chat"]
    manifest = verify_release(made["manifest"], {"gatehouse-1": under_test.public_key})
    assert (manifest.untested, manifest.untested_reason) == (("night-access/ops-chat",), "")


def test_a_release_that_is_only_validated_is_not_kept(under_test):
    tried = under_test.call("POST", f"{RELEASES}?validate_only=true", "author", json={})
    assert (tried.status_code, tried.json["untested"]) == (200, ["night-access/ops-chat"])
    assert ("Location" in tried.headers, tried.json["manifest"]) == (False, "")
    assert under_test.call("GET", RELEASES, "author").json["items"] == []
    assert under_test.call("POST", f"{RELEASES}?validate_only=yes", "author", json={}).status_code == 400
    assert under_test.call("POST", f"{RELEASES}?validate_only=false", "author", json={}).status_code == 201


def test_where_rules_ask_for_it_an_untested_rule_needs_a_reason(under_test):
    under_test.release()
    assert under_test.call("PUT", RULES, "admin", json={}, headers={"If-Match": "*"}).status_code == 200
    refused = under_test.call("POST", RELEASES, "author", json={})
    assert (refused.status_code, refused.json["code"]) == (400, "untested-rules")
    (problem,) = refused.json["errors"]
    assert (problem["code"], problem["pointer"]) == ("untested-rule", "/spec/grants/0")
    assert "night-access" in problem["message"]
    assert len(under_test.call("GET", RELEASES, "author").json["items"]) == 1
    made = under_test.call("POST", RELEASES, "author", json={"untested_reason": "nobody is carol yet"})
    assert (made.status_code, made.json["untested_reason"]) == (201, "nobody is carol yet")
