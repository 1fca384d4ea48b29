# SPDX-License-Identifier: Apache-2.0
from typing import Any

import pytest

from controlplane.services.errors import Invalid
from controlplane.services.evaluation_questions import (
    MAX_QUESTIONS,
    Question,
    Semantic,
    Unreadable,
    read_batch,
    read_one,
)
from policies.contracts.request import Resource, Subject

ASKED: dict[str, Any] = {
    "subject": {"type": "user", "id": "alice"},
    "action": {"name": "chat.completions"},
    "resource": {"type": "model", "id": "parrot"},
}


def one(**changes: Any) -> Question:
    (item,) = read_one(ASKED | changes).items
    assert isinstance(item, Question)
    return item


def test_names_and_facts_of_ours_are_read() -> None:
    read = one(action={"name": "chat.completions", "properties": {"max_tokens": 64, "tools": ["shell"], "site": 1.5}})
    assert (read.subject, read.action) == (Subject(type="user", id="alice"), "chat.completions")
    assert (read.facts.max_tokens, read.facts.tools) == (64, ("shell",))
    assert read.properties.action["site"] == 1.5


def test_nobody_becomes_a_member_by_what_an_enforcement_point_says() -> None:
    read = one(subject=ASKED["subject"] | {"properties": {"groups": ["staff"]}})
    assert read.subject.groups == ()
    assert read.properties.subject == {"groups": ["staff"]}


def test_what_is_called_as_a_fact_is_none_where_the_resource_is_not_ours() -> None:
    read = one(resource={"type": "record", "id": "*"}, action={"name": "share", "properties": {"n": "all"}})
    assert (read.facts.n, read.resource) == (1, Resource(type="record", id="*"))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        pytest.param({"subject": None}, "subject is not an object", id="null"),
        pytest.param({"subject": {"type": "group", "id": "staff"}}, "subject.type is 'group'", id="a-group"),
        pytest.param({"subject": {"type": "user:alice", "id": "x"}}, "subject.type has other", id="a-colon-in-a-type"),
        pytest.param({"subject": {"type": "User", "id": "x"}}, "subject.type has other", id="a-capital"),
        pytest.param({"subject": {"type": "user", "id": ""}}, "subject.id has not 1 to", id="no-name"),
        pytest.param({"subject": {"type": "user", "id": "a" * 257}}, "subject.id has not 1 to", id="a-long-name"),
        pytest.param({"resource": {"type": "model", "id": 5}}, "resource.id is not a string", id="a-number"),
        pytest.param(
            {"resource": {"type": "model:*", "id": "x"}}, "resource.type has other", id="a-wildcard-in-a-type"
        ),
        pytest.param({"context": []}, "context is not an object", id="a-list-as-context"),
        pytest.param(
            {"action": {"name": "a", "properties": {"max_tokens": "64"}}},
            "action.properties.max_tokens is not a number",
            id="a-fact-of-another-type",
        ),
        pytest.param(
            {"action": {"name": "a", "properties": {"stream": 1}}},
            "action.properties.stream is not a boolean",
            id="one-for-true",
        ),
        pytest.param(
            {"action": {"name": "a", "properties": {"n": True}}},
            "action.properties.n is not a number",
            id="true-for-one",
        ),
    ],
)
def test_what_is_no_question_is_refused_by_its_place(changes, said) -> None:
    with pytest.raises(Invalid) as refused:
        read_one(ASKED | changes)
    assert refused.value.detail.startswith(said)


def test_an_entity_of_an_evaluation_replaces_the_default_but_for_its_names() -> None:
    default = {"type": "record", "id": "record-1", "properties": {"status": "archived"}}
    batch = read_batch(ASKED | {"resource": default, "evaluations": [{"resource": {"id": "record-2"}}, {}]})
    first, second = batch.items
    assert isinstance(first, Question)
    assert isinstance(second, Question)
    assert (first.resource, first.properties.resource) == (Resource(type="record", id="record-2"), {})
    assert (second.resource.id, second.properties.resource) == ("record-1", {"status": "archived"})


@pytest.mark.parametrize("item", [5, None, [], {"subject": "bob"}, {"subject": {"type": "group", "id": "x"}}])
def test_a_bad_item_spoils_no_good_batch(item) -> None:
    good, bad = read_batch(ASKED | {"evaluations": [{}, item]}).items
    assert isinstance(good, Question)
    assert isinstance(bad, Unreadable)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param([], id="a-list"),
        pytest.param(ASKED | {"evaluations": {}}, id="evaluations-no-list"),
        pytest.param(ASKED | {"evaluations": [{}], "subject": "alice"}, id="a-default-of-another-type"),
        pytest.param(ASKED | {"evaluations": [{}] * (MAX_QUESTIONS + 1)}, id="too-many"),
        pytest.param(ASKED | {"evaluations": [{}], "options": []}, id="options-no-object"),
        pytest.param(ASKED | {"options": {"evaluations_semantic": "first"}}, id="unknown-semantic"),
        pytest.param(ASKED | {"options": {"evaluations_semantic": ["execute_all"]}}, id="semantic-no-string"),
    ],
)
def test_a_batch_that_is_none_is_refused_as_a_whole(body) -> None:
    with pytest.raises(Invalid):
        read_batch(body)


def test_the_semantic_is_read_and_all_are_answered_without() -> None:
    assert read_batch(ASKED | {"evaluations": [{}]}).semantic is Semantic.EXECUTE_ALL
    options = {"evaluations_semantic": "deny_on_first_deny", "other": 1}
    assert read_batch(ASKED | {"evaluations": [{}], "options": options}).semantic is Semantic.DENY_ON_FIRST_DENY
