# SPDX-License-Identifier: Apache-2.0
import pytest

from policies.contracts.snapshot import FieldClass
from policies.redaction.findings import Tally
from proxy_addons.core.answer_walk import AnswerWalk
from proxy_addons.core.field_classes import of_path
from proxy_addons.core.responses_items import (
    LISTS,
    check_part,
    kind_of,
    parts_of,
    path_of,
    redacted_item,
    text_in,
    without_respelling,
)
from proxy_addons.core.sse_tree import NotExaminable
from tests.responses import TEXTS, item_of
from tests.streams import EMAIL, rules


@pytest.mark.parametrize("item", [None, [], {}, {"type": 1}, {"type": ["message"]}, {"type": "computer_call"}])
def test_items_of_other_kinds_are_not_examinable(item):
    with pytest.raises(NotExaminable):
        kind_of(item)


@pytest.mark.parametrize("shape", TEXTS)
def test_parts_have_their_list_and_place(shape):
    _, within, _, member = TEXTS[shape]
    item = item_of(shape, "a", "b")
    found = parts_of(item, kind_of(item))
    assert [(where, place, part[member]) for where, place, part in found] == [(within, 0, "a"), (within, 1, "b")]
    assert text_in(shape) == member


def test_an_item_may_have_no_parts():
    assert parts_of({"type": "reasoning", "content": None}, "reasoning") == []


@pytest.mark.parametrize("kind", LISTS)
@pytest.mark.parametrize("part", [None, "text", {}, {"type": "output_text"}, {"type": "output_audio", "text": "x"}])
def test_parts_that_are_none_are_not_examinable(kind, part):
    for within in ("content", "summary"):
        with pytest.raises(NotExaminable):
            check_part(part, kind, within)


def test_what_reasoning_says_is_told_apart_by_its_path():
    assert [
        of_path(path_of(*where))
        for where in (
            ("message", "content", "text"),
            ("message", "content", "refusal"),
            ("reasoning", "content", "text"),
            ("reasoning", "summary", "text"),
        )
    ] == [FieldClass.ASSISTANT_TEXT, FieldClass.REFUSAL, FieldClass.REASONING, FieldClass.REASONING]


def test_what_spells_the_text_again_is_emptied_and_named():
    walk = AnswerWalk(rules(), Tally())
    item = item_of("output_text", "a", "b")
    without_respelling(item, "message", walk)
    assert (item, walk.coverage.not_scanned) == (item_of("output_text", "a", "b"), ())
    item["content"][1]["logprobs"] = [{"token": "b"}]
    without_respelling(item, "message", walk)
    assert item == item_of("output_text", "a", "b")
    assert walk.coverage.not_scanned == (("output.*.content.*.logprobs", "dropped"),)


def test_an_item_that_is_whole_is_redacted_in_the_classes_of_its_texts():
    walk = AnswerWalk(rules(), Tally())
    for shape in TEXTS:
        assert redacted_item(item_of(shape, EMAIL), walk) == item_of(shape, "[redacted:email]")
    assert redacted_item([EMAIL], walk) == ["[redacted:email]"]
    assert set(walk.coverage.scanned) >= {"output.*.content.*.text", "output.*.reasoning.*.text"}
