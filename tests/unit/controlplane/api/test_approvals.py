# SPDX-License-Identifier: Apache-2.0
"""Four eyes: what was approved is what goes live, approved by enough of those who may, and never by its author."""

from dataclasses import replace

import pytest

from controlplane.services.access import hash_token
from controlplane.services.model import Role
from tests.control_planes import ACCESS, TOKENS, make_plane, sqlite_url

RELEASES = "/v1/policy-sets/default/releases"


@pytest.fixture
def under_test(tmp_path):
    return make_plane(sqlite_url(tmp_path))


def another(under_test, role, name="second"):
    """Return the headers of one more principal of `role`, and its id."""
    made = under_test.call("POST", "/v1/role-bindings", "admin", json={"name": name, "role": role})
    assert made.status_code == 201, made.text
    return {"Authorization": f"Bearer {made.json['token']}"}, made.json["id"]


def demand(under_test, **rules):
    path = "/v1/environments/production/rules"
    rules = {"untested_needs_reason": False} | rules
    assert under_test.call("PUT", path, "admin", json=rules, headers={"If-Match": "*"}).status_code == 200


def say(under_test, release, role="approver", verdict="approve", headers=None, **changes):
    body = {"revision": release["revision"], "environment": "production", "verdict": verdict} | changes
    return under_test.call("POST", f"{RELEASES}/{release['id']}/approvals", role, json=body, headers=headers or {})


def activate(under_test, release, role="approver", headers=None):
    body = {"release": release["id"], "environment": "production"}
    given = {"If-Match": "*"} | (headers or {})
    return under_test.call("POST", "/v1/activations", role, json=body, headers=given)


def listed(under_test, release):
    return under_test.call("GET", f"{RELEASES}/{release['id']}/approvals", "auditor").json


def edited(under_test):
    """Return a release of the policies with another text in one of them."""
    before = under_test.call("GET", "/v1/policies/chat-access", "author").headers["ETag"]
    source = ACCESS.replace('version: "1"', 'version: "2"')
    path = "/v1/policies/chat-access/revisions"
    changed = under_test.call("POST", path, "author", json={"source": source}, headers={"If-Match": before})
    assert changed.status_code == 201, changed.text
    return under_test.call("POST", RELEASES, "author", json={}).json


def become(under_test, name, role):
    with under_test.store.write() as session:
        principal = replace(session.principals.by_id("default", name), role=role)
        session.principals.put(principal, token_hash=hash_token(TOKENS[name]))


def test_who_may_approve_and_activates_needs_nobody_more_and_is_on_record(under_test):
    release = under_test.release()
    assert activate(under_test, release).status_code == 201
    (given,) = listed(under_test, release)["items"]
    assert (given["by"], given["verdict"], given["by_activation"], given["void"]) == ("approver", "approve", True, None)


def test_two_approvals_are_of_two_principals(under_test):
    demand(under_test, approvals_required=2)
    release = under_test.release()
    assert say(under_test, release).status_code == 201
    alone = activate(under_test, release)
    assert (alone.status_code, alone.json["code"]) == (409, "approvals-missing")
    assert [error["message"] for error in alone.json["errors"]] == ["approver"]
    again = say(under_test, release)
    assert (again.status_code, again.json["code"]) == (409, "approval-given")
    second, second_id = another(under_test, "approver")
    assert say(under_test, release, headers=second).status_code == 201
    standing = {"required": 2, "approved_by": sorted(["approver", second_id]), "rejected_by": []}
    assert listed(under_test, release)["standing"] == standing
    assert activate(under_test, release).status_code == 201


def test_the_approval_that_an_activation_gave_counts_for_the_way_back(under_test):
    demand(under_test, approvals_required=2)
    second, _ = another(under_test, "approver")
    first_release = under_test.release()
    assert say(under_test, first_release, headers=second).status_code == 201
    assert activate(under_test, first_release).status_code == 201
    next_release = edited(under_test)
    assert say(under_test, next_release, headers=second).status_code == 201
    assert activate(under_test, next_release).status_code == 201
    third, _ = another(under_test, "approver", "third")
    assert activate(under_test, first_release, headers=third).status_code == 201


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        pytest.param({"revision": "sha256:0"}, "revision-differs", id="another revision"),
        pytest.param({"environment": "staging"}, "environment-differs", id="another environment"),
    ],
)
def test_an_approval_of_another_thing_is_refused(under_test, changes, code):
    answer = say(under_test, under_test.release(), **changes)
    assert (answer.status_code, answer.json["code"]) == (409, code)


def test_a_replayed_approval_does_not_reach_what_was_edited_afterwards(under_test):
    demand(under_test, approvals_required=2)
    second, _ = another(under_test, "approver")
    release = under_test.release()
    body = {"revision": release["revision"], "environment": "production", "verdict": "approve"}
    assert say(under_test, release, headers=second).status_code == 201
    changed = edited(under_test)
    replayed = under_test.call("POST", f"{RELEASES}/{changed['id']}/approvals", None, json=body, headers=second)
    assert (replayed.status_code, replayed.json["code"]) == (409, "revision-differs")
    assert activate(under_test, changed).json["code"] == "approvals-missing"


def test_an_approval_is_not_of_another_release_of_the_same_content(under_test):
    demand(under_test, approvals_required=2)
    second, _ = another(under_test, "approver")
    first, twin = under_test.release(), under_test.release()
    assert first["revision"] == twin["revision"]
    assert say(under_test, first, headers=second).status_code == 201
    assert activate(under_test, twin).json["code"] == "approvals-missing"


def test_an_author_does_not_approve_their_own_change(under_test):
    demand(under_test, approver_roles=["author", "approver"])
    release = under_test.release()
    answer = say(under_test, release, role="author")
    assert (answer.status_code, answer.json["code"]) == (403, "own-release")
    become(under_test, "author", Role.APPROVER)
    for refused in (say(under_test, release, role="author"), activate(under_test, release, role="author")):
        assert (refused.status_code, refused.json["code"]) == (403, "own-release")


def test_who_wrote_a_pinned_revision_does_not_approve_the_release_that_somebody_else_made_of_it(under_test):
    under_test.release()
    demand(under_test, approver_roles=["author"])
    second, second_id = another(under_test, "author")
    release = under_test.call("POST", RELEASES, None, json={}, headers=second).json
    assert release["author"] == second_id
    answer = say(under_test, release, role="author")
    assert (answer.status_code, answer.json["code"]) == (403, "own-release")


def test_who_wrote_only_what_is_in_force_already_approves_the_change_of_another(under_test):
    assert activate(under_test, under_test.release()).status_code == 201
    demand(under_test, approver_roles=["author"])
    second, _ = another(under_test, "author")
    source = 'kind: limits\nid: caps\nversion: "1"\nspec: {subjects: ["*"], max_body_bytes: 9}\n'
    made = under_test.call("POST", "/v1/policies", None, json={"source": source}, headers=second)
    assert made.status_code == 201, made.text
    release = under_test.call("POST", RELEASES, None, json={}, headers=second).json
    assert say(under_test, release, role="author").status_code == 201
    assert activate(under_test, release).status_code == 201


def test_who_brought_an_old_text_back_does_not_approve_that(under_test):
    first = under_test.release()
    assert activate(under_test, first).status_code == 201
    second, _ = another(under_test, "author")
    assert activate(under_test, edited(under_test)).status_code == 201
    demand(under_test, approver_roles=["author"])
    current = under_test.call("GET", "/v1/policies/chat-access", "author").headers["ETag"]
    path = "/v1/policies/chat-access/revisions"
    back = under_test.call("POST", path, None, json={"source": ACCESS}, headers=second | {"If-Match": current})
    assert back.status_code == 201, back.text
    third, _ = another(under_test, "author", "third")
    release = under_test.call("POST", RELEASES, None, json={}, headers=third).json
    assert release["revision"] == first["revision"]
    answer = say(under_test, release, headers=second)
    assert (answer.status_code, answer.json["code"]) == (403, "own-release")


def test_a_rejection_stops_a_release_until_it_is_withdrawn(under_test):
    release = under_test.release()
    second, second_id = another(under_test, "approver")
    no = say(under_test, release, verdict="reject", comment="too wide", headers=second)
    assert no.status_code == 201
    stopped = activate(under_test, release)
    assert (stopped.status_code, stopped.json["code"]) == (409, "release-rejected")
    assert [error["message"] for error in stopped.json["errors"]] == [second_id]
    path = f"{RELEASES}/{release['id']}/approvals/{no.json['id']}:withdraw"
    foreign = under_test.call("POST", path, "approver")
    assert (foreign.status_code, foreign.json["code"]) == (403, "approval-of-another")
    assert under_test.call("POST", path, None, headers=second).json["void"] == "withdrawn"
    assert under_test.call("POST", path, None, headers=second).json["code"] == "approval-withdrawn"
    assert activate(under_test, release).status_code == 201


def test_a_withdrawn_approval_counts_no_more(under_test):
    demand(under_test, approvals_required=2)
    release = under_test.release()
    second, _ = another(under_test, "approver")
    given = say(under_test, release, headers=second).json
    path = f"{RELEASES}/{release['id']}/approvals/{given['id']}:withdraw"
    assert under_test.call("POST", path, None, headers=second).status_code == 200
    assert activate(under_test, release).json["code"] == "approvals-missing"
    assert say(under_test, release, headers=second).status_code == 201
    assert activate(under_test, release).status_code == 201


def test_rules_that_were_tightened_count_for_what_was_approved_before(under_test):
    release = under_test.release()
    assert say(under_test, release).status_code == 201
    demand(under_test, approvals_required=2)
    assert activate(under_test, release).json["code"] == "approvals-missing"
    demand(under_test, approver_roles=["admin"])
    (given,) = listed(under_test, release)["items"]
    assert given["void"] == "role-missing"
    assert activate(under_test, release).json["code"] == "approvals-missing"
    assert say(under_test, release, role="admin").status_code == 201
    assert activate(under_test, release).status_code == 201


@pytest.mark.parametrize("lost", ["role", "principal"])
def test_the_word_of_who_lost_the_role_counts_no_more(under_test, lost):
    demand(under_test, approvals_required=2)
    second, second_id = another(under_test, "approver")
    release = under_test.release()
    assert say(under_test, release, headers=second).status_code == 201
    if lost == "principal":
        assert under_test.call("DELETE", f"/v1/role-bindings/{second_id}", "admin").status_code == 204
    else:
        with under_test.store.write() as session:
            gone = replace(session.principals.by_id("default", second_id), role=Role.AUDITOR)
            session.principals.put(gone, token_hash="-")
    assert listed(under_test, release)["items"][0]["void"] == "role-missing"
    assert activate(under_test, release).json["code"] == "approvals-missing"


def test_who_is_not_asked_does_not_approve(under_test):
    answer = say(under_test, under_test.release(), role="admin")
    assert (answer.status_code, answer.json["code"]) == (403, "role-not-asked")
    assert say(under_test, under_test.release(), role="auditor").json["code"] == "not-permitted"


def test_every_word_is_on_record(under_test):
    release = under_test.release()
    given = say(under_test, release, comment="looks right").json
    under_test.call("POST", f"{RELEASES}/{release['id']}/approvals/{given['id']}:withdraw", "approver")
    say(under_test, release, verdict="reject")
    events = under_test.call("GET", "/v1/admin-events", "auditor").json["items"][-3:]
    assert [event["action"] for event in events] == ["release_approved", "approval_withdrawn", "release_rejected"]
    assert {event["target"] for event in events} == {release["id"]}
    assert events[0]["detail"]["revision"] == release["revision"]


def test_approvals_come_in_pages(under_test):
    release = under_test.release()
    say(under_test, release)
    second, _ = another(under_test, "approver")
    say(under_test, release, verdict="reject", headers=second)
    path = f"{RELEASES}/{release['id']}/approvals"
    first = under_test.call("GET", f"{path}?limit=1", "author").json
    rest = under_test.call("GET", f"{path}?limit=1&cursor={first['next_cursor']}", "author").json
    assert [item["verdict"] for item in (*first["items"], *rest["items"])] == ["approve", "reject"]
    assert rest["next_cursor"] is None


@pytest.mark.parametrize("path", ["releases/rel_x/approvals", "releases/rel_x/approvals/apr_x:withdraw"])
def test_a_release_that_is_not_there_has_no_approvals(under_test, path):
    body = {"revision": "r", "environment": "production", "verdict": "approve"}
    answer = under_test.call("POST", f"/v1/policy-sets/default/{path}", "approver", json=body)
    assert (answer.status_code, answer.json["code"]) == (404, "release-unknown")
