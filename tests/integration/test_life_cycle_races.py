# SPDX-License-Identifier: Apache-2.0
"""Edit, release, approve, withdraw, activate, promote and roll back at once, on two processes over SQLite, and with `kill -9`."""

from pathlib import Path

import pytest

from tests.life_cycle_storm import RELEASES, Storm, judge_events, kill_and_judge
from tests.served_control_planes import (
    ACCESS,
    Served,
    another_port,
    initialise,
    make_environment,
    make_release,
    public_key,
    served,
)

# Several processes are started one after another: on a busy machine that alone takes a minute.
pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    prepared = make_environment(tmp_path)
    assert initialise(prepared).returncode == 0
    return prepared


def test_what_everybody_does_at_once_has_an_order(environment: dict[str, str]) -> None:
    with served(environment, another_port()) as first, served(environment, another_port()) as second:
        storm = Storm([first, second])
        storm.prepare()
        storm.rage(for_s=3)
        storm.settle()
        storm.judge(public_key(environment), every_edit_known=True)
        assert {"activations", "revisions", "releases", "approvals"} <= storm.accepted.keys()


def test_killed_in_the_middle_it_goes_on_where_it_was(environment: dict[str, str]) -> None:
    kill_and_judge(environment, kills=1)


def test_an_approval_of_what_was_edited_since_counts_for_nothing(environment: dict[str, str]) -> None:
    with served(environment, another_port()) as api:
        storm = Storm([api])
        storm.prepare()
        words = approve(api, make_release(api), storm)
        assert words == 201
        etag = api.call("GET", "/v1/policies/chat-access", "author").headers["ETag"]
        edited = {"source": ACCESS.replace("parrot", "other")}
        api.call("POST", "/v1/policies/chat-access/revisions", "author", json=edited, headers={"If-Match": etag})
        old = api.call("GET", RELEASES, "approver").json()["items"][-1]
        release = make_release(api)
        replayed = {"revision": old["revision"], "environment": "production", "verdict": "approve"}
        path = f"{RELEASES}/{release}/approvals"
        answer = api.call("POST", path, "approver", json=replayed, headers=storm.second)
        assert (answer.status_code, answer.json()["code"]) == (409, "revision-differs")
        body = {"release": release, "environment": "production"}
        refused = api.call("POST", "/v1/activations", "approver", json=body, headers={"If-Match": "*"})
        assert (refused.status_code, refused.json()["code"]) == (409, "approvals-missing")


def approve(api: Served, release: str, storm: Storm) -> int:
    revision = api.call("GET", f"{RELEASES}/{release}", "approver").json()["revision"]
    body = {"revision": revision, "environment": "production", "verdict": "approve"}
    return api.call("POST", f"{RELEASES}/{release}/approvals", "approver", json=body, headers=storm.second).status_code


@pytest.mark.parametrize("words", [[], ["release_rejected"]])
def test_the_judge_sees_an_activation_without_approvals(words: list[str]) -> None:
    def event(action: str, who: str, **detail: str) -> dict[str, object]:
        return {"action": action, "target": "r", "principal": who, "detail": detail}

    given = [event(action, "second", approval=action) for action in words]
    with pytest.raises(AssertionError):
        judge_events([event("environment_rules_set", "admin"), *given, event("release_activated", "approver")])
