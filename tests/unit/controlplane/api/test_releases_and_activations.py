# SPDX-License-Identifier: Apache-2.0
import pytest

from controlplane.services.model import Role
from tests.control_planes import ACCESS, TOKENS, make_plane, sqlite_url


@pytest.fixture
def under_test(tmp_path):
    return make_plane(sqlite_url(tmp_path))


def report(under_test, *, serial, node="n1", rejected=None, error=None, slots=("w0", "w1")):
    body = {
        "node_id": node,
        "version": "0.1",
        "workers": [
            {"slot": slot, "pid": 1, "serial": serial, "revision": None, "epoch": 1, "error": error} for slot in slots
        ],
        "spool": {"depth_records": 0, "oldest_s": 0, "shipped": 0},
        "guard_engine": "opa",
        "rejected_bundle": rejected,
    }
    answer = under_test.call("POST", f"/v1/agents/{node}/status", "agent", json=body)
    assert answer.status_code == 200, answer.text


def state_of(under_test, activation):
    return under_test.call("GET", f"/v1/activations/{activation['id']}", "approver").json["state"]


def test_the_same_policies_give_a_new_release_of_the_same_revision(under_test):
    first, second = under_test.release(), under_test.release()
    assert first["id"] != second["id"]
    assert first["revision"] == second["revision"]
    assert set(first["policies"]) == {"chat-access", "openai-routes"}
    assert [(test["policy"], test["passed"]) for test in first["tests"]] == [("chat-access", True)]


def test_a_release_with_a_failing_test_is_not_made(under_test):
    under_test.release()
    before = under_test.call("GET", "/v1/policies/chat-access", "author")
    wrong = ACCESS.replace("effect: allow}\n", "effect: deny}\n").replace("{effect: allow}", "{effect: deny}")
    assert wrong != ACCESS
    under_test.call(
        "POST",
        "/v1/policies/chat-access/revisions",
        "author",
        json={"source": wrong},
        headers={"If-Match": before.headers["ETag"]},
    )
    answer = under_test.call("POST", "/v1/policy-sets/default/releases", "author", json={})
    assert (answer.status_code, answer.json["code"]) == (400, "tests-failed")
    assert "bob may chat" in answer.json["errors"][0]["message"]
    assert len(under_test.call("GET", "/v1/policy-sets/default/releases", "author").json["items"]) == 1


def test_a_pin_that_does_not_exist_is_named(under_test):
    answer = under_test.call("POST", "/v1/policy-sets/default/releases", "author", json={"policies": {"a": "sha256:0"}})
    assert (answer.status_code, answer.json["errors"][0]["pointer"]) == (400, "/policies/a")


def test_an_activation_needs_the_serial_it_starts_from(under_test):
    body = {"release": under_test.release()["id"], "environment": "production"}
    missing = under_test.call("POST", "/v1/activations", "approver", json=body)
    assert (missing.status_code, missing.json["code"]) == (428, "if-match-missing")
    assert under_test.call("GET", "/v1/environments/production", "approver").headers["ETag"] == '"0"'
    first = under_test.call("POST", "/v1/activations", "approver", json=body, headers={"If-Match": '"0"'})
    assert (first.status_code, first.json["serial"], first.json["state"]) == (201, 1, "pending")
    stale = under_test.call("POST", "/v1/activations", "approver", json=body, headers={"If-Match": '"0"'})
    assert (stale.status_code, stale.json["code"]) == (412, "state-changed")


def test_active_once_every_worker_of_every_live_node_enforces_it(under_test):
    activation = under_test.activate(under_test.release()["id"])
    report(under_test, serial=0, node="n1")
    report(under_test, serial=1, node="n2")
    assert state_of(under_test, activation) == "pending"
    report(under_test, serial=1, node="n1")
    assert state_of(under_test, activation) == "active"
    environment = under_test.call("GET", "/v1/environments/production", "approver").json
    assert (environment["desired"]["serial"], len(environment["enforced"])) == (1, 4)


def test_a_silent_node_is_waited_for_no_longer_than_it_counts_as_live(under_test):
    report(under_test, serial=0, node="dead")
    activation = under_test.activate(under_test.release()["id"])
    under_test.clock.turn(10)
    report(under_test, serial=1)
    assert state_of(under_test, activation) == "pending"
    under_test.clock.turn(6)
    assert state_of(under_test, activation) == "active"


def test_a_rejected_bundle_fails_the_activation(under_test):
    activation = under_test.activate(under_test.release()["id"])
    etag = under_test.plane.activations.get(_auditor(under_test), activation["id"]).activation.etag
    report(under_test, serial=0, rejected={"code": "signature-invalid", "etag": f'"{etag}"'})
    assert state_of(under_test, activation) == "failed"


def test_a_rollback_is_a_new_serial_of_the_old_release(under_test):
    release = under_test.release()
    first = under_test.activate(release["id"])
    second = under_test.activate(release["id"])
    assert (first["serial"], second["serial"]) == (1, 2)
    assert first["revision"] == second["revision"]
    assert state_of(under_test, first) == "superseded"


def test_whoever_wrote_a_release_cannot_activate_it(under_test):
    release = under_test.release()
    with under_test.store.write() as session:
        # The author became an approver: the role allows it now, the release still forbids it.
        author = session.principals.by_id("default", "author")
        session.principals.put(_with_role(author, Role.APPROVER), token_hash=_hash("author"))
    body = {"release": release["id"], "environment": "production"}
    answer = under_test.call("POST", "/v1/activations", "author", json=body, headers={"If-Match": '"0"'})
    assert (answer.status_code, answer.json["code"]) == (403, "own-release")


def test_a_node_is_reported_by_its_own_principal_only(under_test):
    report(under_test, serial=0)
    other = under_test.call("POST", "/v1/role-bindings", "admin", json={"name": "other", "role": "agent"}).json
    body = {"node_id": "n1", "version": "1", "workers": [], "guard_engine": "opa"}
    answer = under_test.call(
        "POST",
        "/v1/agents/n1/status",
        None,
        json=body,
        headers={"Authorization": f"Bearer {other['token']}"},
    )
    assert (answer.status_code, answer.json["code"]) == (403, "agent-of-another")
    wrong = under_test.call("POST", "/v1/agents/n2/status", "agent", json=body)
    assert (wrong.status_code, wrong.json["code"]) == (400, "node-differs")


def test_what_was_done_is_on_record_without_secrets(under_test):
    under_test.activate(under_test.release()["id"])
    key = under_test.call("POST", "/v1/api-keys", "admin", json={"subject": "user:alice"}).json["key"]
    events = under_test.call("GET", "/v1/admin-events", "auditor")
    actions = [event["action"] for event in events.json["items"]]
    assert actions[-4:] == ["release_made", "release_activated", "activation_pending", "api_key_created"]
    assert key not in events.text
    assert not any(token in events.text for token in TOKENS.values())


def _auditor(under_test):
    with under_test.store.read() as session:
        return session.principals.by_id("default", "auditor")


def _with_role(principal, role):
    from dataclasses import replace

    return replace(principal, role=role)


def _hash(role):
    from controlplane.services.access import hash_token

    return hash_token(TOKENS[role])


def test_a_release_is_made_and_warns_of_a_policy_that_has_no_effect(under_test):
    assert under_test.release()["warnings"] == []
    for name, kept in (("keeps-more", "sealed"), ("keeps-less", "hashed")):
        source = f'kind: logging\nid: {name}\nversion: "1"\nspec: {{content: {{answers: {kept}}}}}'
        created = under_test.call("POST", "/v1/policies", "author", json={"source": source})
        assert created.status_code == 201, created.text
    made = under_test.call("POST", "/v1/policy-sets/default/releases", "author", json={}).json
    assert [(told["code"], told["policy"]) for told in made["warnings"]] == [("logging-contradicted", "keeps-more")]
    listed = under_test.call("GET", "/v1/policy-sets/default/releases", "author").json["items"]
    assert [len(item["warnings"]) for item in listed] == [0, 1]


def test_a_node_says_which_candidate_its_workers_try_and_by_which_document(under_test):
    workers = [
        {"slot": 0, "serial": 7, "epoch": 1, "candidate_serial": 9, "error": "no patterns", "failed_serial": 8},
        {"slot": 1, "serial": 7, "epoch": 1, "candidate_error": "canary-failed: access/nobody"},
    ]
    body = {"node_id": "n1", "version": "1", "workers": workers, "guard_engine": "opa", "environment_number": 4}
    assert under_test.call("POST", "/v1/agents/n1/status", "agent", json=body).status_code == 200
    got = under_test.call("GET", "/v1/agents/n1", "auditor").json
    assert got["environment_number"] == 4
    assert [(each["candidate_serial"], each["candidate_error"]) for each in got["workers"]] == [
        (9, None),
        (None, "canary-failed: access/nobody"),
    ]
    assert [each["failed_serial"] for each in got["workers"]] == [8, None]
    report(under_test, serial=9)  # of a node that says nothing of either
    got = under_test.call("GET", "/v1/agents/n1", "auditor").json
    assert (got["environment_number"], got["workers"][0]["candidate_serial"]) == (None, None)
