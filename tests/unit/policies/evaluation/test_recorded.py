# SPDX-License-Identifier: Apache-2.0
"""From a record's payload to the request that it tells of, and which requests are one question."""

from copy import deepcopy
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta

import pytest

from policies.contracts.request import RequestFacts, Subject
from policies.evaluation.recorded import DistinctRequests, InputUnreadable, request_of
from tests.unit.policies.evaluation.test_head import LIMIT, ROUTE
from tests.unit.policies.evaluation.test_pipeline import REQUEST, snapshot

FACTS = RequestFacts(stream=True, max_tokens=5, roles=("user",), tools=("find",), tool_choice="auto", body_bytes=9)
PAYLOAD = {
    "subject": {"type": "user", "id": "alice", "groups": ["staff"]},
    "input": {
        "action": "chat.completions",
        "resource": {"type": "model", "id": "parrot"},
        "request": {name: list(v) if isinstance(v, tuple) else v for name, v in FACTS.to_json().items()},
        "time": "2026-11-20T18:00:00+00:00",
    },
}


UNREADABLE = [
    pytest.param(("subject",), None, id="nobody"),
    pytest.param(("subject", "id"), 7, id="a name that is a number"),
    pytest.param(("subject", "groups"), "staff", id="groups that are no list"),
    pytest.param(("input", "resource"), "parrot", id="a resource that is no object"),
    pytest.param(("input", "time"), "yesterday", id="no time"),
    pytest.param(("input", "time"), "2026-11-20T18:00:00", id="no zone"),
    pytest.param(("input", "request", "stream"), 1, id="a number for a boolean"),
    pytest.param(("input", "request", "n"), True, id="a boolean for a number"),
    pytest.param(("input", "request", "max_tokens"), "5", id="a text for a number"),
    pytest.param(("input", "request", "tools"), ["find", 1], id="a list of something else"),
    pytest.param(("input", "request", "tool_choice"), {}, id="an object for a text"),
    pytest.param(("input", "request", "colour"), "red", id="a member nobody knows"),
]


def read(payload):
    return request_of(payload, request_id="r", tenant="default", environment="production")


def test_a_payload_is_the_request_that_it_was_made_from():
    want = replace(
        REQUEST,
        subject=Subject(type="user", id="alice", groups=("staff",)),
        facts=FACTS,
        at=datetime(2026, 11, 20, 18, tzinfo=UTC),
    )
    assert read(PAYLOAD) == want


def test_what_an_earlier_release_did_not_write_has_its_default():
    older = deepcopy(PAYLOAD)
    older["input"]["request"] = {"max_tokens": None}
    del older["subject"]["groups"]
    assert read(older).facts == RequestFacts()


def with_member(path, value):
    other = deepcopy(PAYLOAD)
    place = other
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = value
    return other


@pytest.mark.parametrize(("path", "value"), UNREADABLE)
def test_what_is_not_of_the_form_is_not_guessed(path, value):
    with pytest.raises(InputUnreadable):
        read(with_member(path, value))


def reading(*reads):
    (guard,) = snapshot().guards
    return snapshot(guards=(replace(guard, reads=reads),), routes=(ROUTE,), limits=(LIMIT,))


def same(policy, one, other) -> bool:
    distinct = DistinctRequests(policy)
    return distinct.key_of(one) == distinct.key_of(other)


def changed(name):
    others = {bool: True, int: 7, int | None: 7, str | None: "x", tuple[str, ...]: ("x",)}
    type_ = next(field.type for field in fields(RequestFacts) if field.name == name)
    return replace(REQUEST, facts=replace(RequestFacts(), **{name: others[type_]}))


@pytest.mark.parametrize("name", [field.name for field in fields(RequestFacts)])
def test_requests_that_differ_in_what_no_guard_reads_are_one_question(name):
    assert same(reading("subject.id"), REQUEST, changed(name))
    assert not same(reading(f"request.{name}"), REQUEST, changed(name))
    assert not same(reading("request"), REQUEST, changed(name))
    assert not same(snapshot(), REQUEST, changed(name))  # its guard says nothing of what it reads


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(replace(REQUEST, subject=Subject(type="service", id="alice")), id="another type"),
        pytest.param(replace(REQUEST, subject=Subject(type="user", id="bob")), id="another subject"),
        pytest.param(replace(REQUEST, subject=Subject(type="user", id="alice", groups=("a",))), id="a group"),
        pytest.param(replace(REQUEST, action="embeddings"), id="another action"),
        pytest.param(replace(REQUEST, resource=replace(REQUEST.resource, id="owl")), id="another model"),
        pytest.param(replace(REQUEST, facts=RequestFacts(body_bytes=11)), id="too large"),
    ],
)
def test_what_decides_without_guards_is_always_told_apart(other):
    assert not same(reading("request.n"), REQUEST, other)


def test_the_time_counts_only_where_a_guard_reads_it():
    later = replace(REQUEST, at=REQUEST.at + timedelta(hours=1))
    assert same(reading("request.n"), REQUEST, later)
    assert not same(reading("context.time"), REQUEST, later)


def test_what_cannot_be_written_exactly_has_no_key():
    huge = replace(REQUEST, facts=RequestFacts(n=2**64))
    assert DistinctRequests(reading("request.n")).key_of(huge) is None


@pytest.mark.parametrize(
    ("path", "value"),
    [
        pytest.param(("subject", "id"), "bob", id="another subject"),
        pytest.param(("subject", "groups"), [], id="a group less"),
        pytest.param(("input", "action"), "embeddings", id="another action"),
        pytest.param(("input", "resource", "id"), "owl", id="another model"),
        pytest.param(("input", "request", "max_tokens"), 6, id="what a guard reads"),
        pytest.param(("input", "request", "body_bytes"), 11, id="too large"),
    ],
)
def test_payloads_that_tell_of_other_questions_have_other_keys(path, value):
    distinct = DistinctRequests(reading("request.max_tokens"))
    assert distinct.recorded_key(with_member(path, value)) != distinct.recorded_key(PAYLOAD) is not None


@pytest.mark.parametrize(
    ("path", "value"),
    [
        pytest.param(("input", "time"), "2026-11-20T19:00:00+00:00", id="the time"),
        pytest.param(("input", "request", "tools"), ["other"], id="tools"),
        pytest.param(("input", "request", "body_bytes"), 8, id="a size within the limit"),
        pytest.param(("salt",), "x", id="what is not of the question"),
    ],
)
def test_payloads_that_differ_in_what_nobody_reads_have_one_key(path, value):
    other = with_member(path, value)
    distinct = DistinctRequests(reading("request.max_tokens"))
    assert distinct.recorded_key(other) == distinct.recorded_key(PAYLOAD)
    everything = DistinctRequests(snapshot(routes=(ROUTE,), limits=(LIMIT,)))
    assert (everything.recorded_key(other) == everything.recorded_key(PAYLOAD)) is (path == ("salt",))


@pytest.mark.parametrize(("path", "value"), UNREADABLE)
def test_what_is_not_of_the_form_has_no_key(path, value):
    distinct = DistinctRequests(reading("request.max_tokens"))
    assert distinct.recorded_key(PAYLOAD) is not None  # what was of the form is remembered, and hides nothing
    assert distinct.recorded_key(with_member(path, value)) is None
