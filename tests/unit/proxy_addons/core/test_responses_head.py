# SPDX-License-Identifier: Apache-2.0
import pytest

from policies.contracts.decision import Mode
from policies.redaction.findings import Tally
from proxy_addons.core.answer_walk import AnswerWalk
from proxy_addons.core.responses_head import ResponseHead
from tests.responses import means
from tests.streams import EMAIL, rules


def head(mode: Mode = Mode.ENFORCE) -> tuple[ResponseHead, AnswerWalk, Tally]:
    made = means(rules(mode=mode))
    return ResponseHead(made), made.walk, made.shared.tally


@pytest.mark.parametrize(
    ("name", "first", "then", "want"),
    [
        ("model", "alice@", "example.com", "alice@"),
        ("metadata", {"a": "alice@"}, {"a": "example.com"}, {"a": "alice@"}),
        ("status", "in_progress", "completed", "completed"),
        ("service_tier", "auto", "default", "default"),
        ("completed_at", None, 5, 5),
        ("completed_at", 4, 5, 5),
        ("usage", {"input_tokens": 1}, {"input_tokens": 2}, {"input_tokens": 2}),
        ("user", "u", None, None),
        ("tools", [], [], []),
    ],
)
def test_texts_stay_and_words_and_numbers_change(name, first, then, want):
    told, *_ = head()
    assert told.of({name: first}) == {name: first}
    assert told.of({name: then}) == {name: want}


def test_a_finding_is_redacted_each_time_and_counted_once():
    told, _, tally = head()
    assert [told.of({"instructions": f"ask {EMAIL}"}) for _ in range(3)] == [
        {"instructions": "ask [redacted:email]"}
    ] * 3
    assert tally.total == 1


def test_items_are_left_out_and_what_the_dialect_does_not_have_is_dropped():
    told, walk, _ = head()
    assert told.of({"output": [EMAIL], "output_text": EMAIL}) == {}
    assert walk.coverage.not_scanned == (("*", "dropped"),)


def test_rules_that_only_look_see_what_the_dialect_does_not_have():
    told, walk, tally = head(Mode.OBSERVE)
    told.of({"note": EMAIL})
    assert (tally.total, walk.coverage.not_scanned) == (1, ())
