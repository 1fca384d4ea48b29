# SPDX-License-Identifier: Apache-2.0
"""What was in force at a time, across activations and rollbacks."""

import hashlib

import pytest

from controlplane.services.times import format_time
from tests.control_planes import ACCESS, make_plane, sqlite_url

REVISED = ACCESS.replace('version: "1"', 'version: "2"').replace("[user:alice, user:bob]", "[user:bob]")


SCREEN = """\
kind: screening
id: screen
version: "1"
spec:
  rules:
    - {id: override, effect: deny, phrases: [ignore all previous instructions], models: [parrot]}
"""


@pytest.fixture
def history(tmp_path):
    """Three activations, ten minutes apart: one, one without alice, and the first again."""
    under_test = make_plane(sqlite_url(tmp_path))
    times = {"before": under_test.clock.now}
    under_test.clock.turn(600)
    first = under_test.release()
    under_test.activate(first["id"])
    times["first"] = under_test.clock.now
    under_test.clock.turn(600)
    etag = under_test.call("GET", "/v1/policies/chat-access", "author").headers["ETag"]
    revise = "/v1/policies/chat-access/revisions"
    answer = under_test.call("POST", revise, "author", json={"source": REVISED}, headers={"If-Match": etag})
    assert answer.status_code == 201, answer.text
    second = under_test.release()
    under_test.activate(second["id"])
    times["second"] = under_test.clock.now
    under_test.clock.turn(600)
    under_test.activate(first["id"])
    times["rollback"] = under_test.clock.now
    return under_test, times, (first, second)


def at(history, when, seconds=0, **asked):
    under_test, times, _ = history
    moment = times[when].replace(second=seconds)
    query = {"at": format_time(moment), **asked}
    answer = under_test.call("GET", "/v1/policies:in-force", "auditor", query_string=query)
    assert answer.status_code == 200, answer.text
    return answer.json


@pytest.mark.parametrize(
    ("when", "serial", "release", "version", "ended_by"),
    [
        pytest.param("first", 1, 0, "1", "second", id="the first"),
        pytest.param("second", 2, 1, "2", "rollback", id="the second"),
        pytest.param("rollback", 3, 0, "1", None, id="the rollback"),
    ],
)
def test_what_was_in_force_and_who_put_it_there(history, *, when, serial, release, version, ended_by):
    _, times, releases = history
    for seconds in (0, 59):
        found = at(history, when, seconds)
        activation = found["activation"]
        assert (activation["serial"], activation["by"]) == (serial, "approver")
        assert activation["until"] == (None if ended_by is None else format_time(times[ended_by]))
        assert (found["release"]["id"], found["release"]["author"]) == (releases[release]["id"], "author")
        assert found["release"]["revision"] == releases[release]["revision"]
        [access] = [policy for policy in found["policies"] if policy["id"] == "chat-access"]
        source = (ACCESS if version == "1" else REVISED).encode()
        assert (access["version"], access["kind"], access["author"]) == (version, "access", "author")
        assert access["source_digest"] == "sha256:" + hashlib.sha256(source).hexdigest()


def test_before_the_first_nothing_was_in_force(history):
    under_test, times, _ = history
    for query in ({"at": format_time(times["before"])}, {"at": format_time(times["second"]), "environment": "other"}):
        answer = under_test.call("GET", "/v1/policies:in-force", "auditor", query_string=query)
        assert (answer.status_code, answer.json["code"]) == (404, "nothing-in-force")


@pytest.mark.parametrize(
    ("when", "subject", "model", "effect", "rules", "reasons"),
    [
        pytest.param("first", "user:alice", "parrot", "allow", ["staff-chat"], [], id="granted"),
        pytest.param("second", "user:alice", "parrot", "deny", None, ["no-applicable-policy"], id="no longer"),
        pytest.param("second", "user:bob", "parrot", "allow", ["staff-chat"], [], id="another still"),
        pytest.param("rollback", "user:alice", "parrot", "allow", ["staff-chat"], [], id="again"),
        pytest.param("first", "user:alice", "owl", "deny", None, ["no-applicable-policy"], id="another model"),
    ],
)
def test_what_the_policies_of_then_say_of_a_subject(history, *, when, subject, model, effect, rules, reasons):
    [answer] = at(history, when, subject=subject, model=model, action="chat.completions")["answers"]
    assert (answer["effect"], [reason["code"] for reason in answer["reasons"]]) == (effect, reasons)
    by_policy = {item["policy"]: item for item in answer["concerning"]}
    assert by_policy["openai-routes"]["rules"] == ["chat"]
    if rules is None:
        assert "chat-access" not in by_policy
    else:
        assert (by_policy["chat-access"]["rules"], by_policy["chat-access"]["outcome"]) == (rules, "allow")


def test_policies_that_look_at_texts_are_named_as_not_judged(tmp_path):
    under_test = make_plane(sqlite_url(tmp_path))
    under_test.release()
    assert under_test.call("POST", "/v1/policies", "author", json={"source": SCREEN}).status_code == 201
    under_test.activate(under_test.release()["id"])
    then = under_test, {"first": under_test.clock.now}, ()
    asked = {"subject": "user:alice", "action": "chat.completions"}
    for model, want in (("parrot", ["screen"]), ("owl", [])):
        [answer] = at(then, "first", 59, model=model, **asked)["answers"]
        assert answer["not_judged"] == want


def test_without_an_action_each_that_has_a_route_is_answered(history):
    answers = at(history, "first", subject="user:alice", model="parrot")["answers"]
    assert [answer["action"] for answer in answers] == ["chat.completions"]


def test_an_action_without_route_is_refused_as_the_proxy_does(history):
    [answer] = at(history, "first", subject="user:alice", action="images.generate")["answers"]
    assert (answer["effect"], answer["reasons"][0]["code"]) == ("deny", "route-not-listed")


def test_whether_all_enforced_it_is_said(history):
    under_test, times, _ = history
    assert at(history, "rollback")["enforced_by_all"] is False
    with under_test.store.write() as session:
        activation = session.activations.at_serial("default", "production", 3)
        session.activations.set_active("default", activation.id, times["rollback"].replace(second=30))
    assert at(history, "rollback", 29)["enforced_by_all"] is False
    assert at(history, "rollback", 30)["enforced_by_all"] is True


@pytest.mark.parametrize(
    "query",
    [
        pytest.param({}, id="no time"),
        pytest.param({"at": "yesterday"}, id="no such time"),
        pytest.param({"at": "2026-11-20T12:00:00Z", "subject": "alice"}, id="no subject"),
        pytest.param({"at": "2026-11-20T12:00:00Z", "model": "parrot"}, id="a model without subject"),
        pytest.param({"at": "2026-11-20T12:00:00Z", "subject": "user:alice\n"}, id="a line break"),
    ],
)
def test_a_question_that_makes_no_sense_is_refused(history, query):
    answer = history[0].call("GET", "/v1/policies:in-force", "auditor", query_string=query)
    assert (answer.status_code, answer.json["code"]) == (400, "query-invalid")
