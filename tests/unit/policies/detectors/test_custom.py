# SPDX-License-Identifier: Apache-2.0
"""What a policy defines, as detectors. Python's `re` stands for the scanner here: it takes what the scanner takes."""

import re
from dataclasses import replace

import pytest

from policies.contracts.decision import Mode
from policies.contracts.snapshot import CustomDetector, CustomPattern, LiteralList, RedactionPolicy
from policies.detectors.contract import Candidate, Detector, Pattern
from policies.detectors.custom import expression_of, from_literals, from_patterns, own_detectors
from policies.scanning.expression import parse

BADGE = CustomDetector(id="badge", kind="BADGE", patterns=(CustomPattern(expression=r"\d{7}"),))
NAMES = LiteralList(id="names", kind="NAME", values=("Marzipan Limited",))


def score(detector: CustomDetector, value: str, *, before: str = "", lenient: bool = False) -> float | None:
    return from_patterns("p", detector).judge(Candidate(value=value, before=before, lenient=lenient))


def matched(detector: Detector, text: str) -> bool:
    flags = [re.IGNORECASE if pattern.ignore_case else 0 for pattern in detector.patterns]
    return any(re.fullmatch(each.expression, text, flag) for each, flag in zip(detector.patterns, flags, strict=True))


def test_they_are_named_after_their_policy_and_stand_in_order():
    policy = RedactionPolicy(
        id="own",
        version="1",
        mode=Mode.ENFORCE,
        operations=(),
        models=(),
        rules=(),
        detectors=(BADGE,),
        literals=(NAMES,),
    )
    got = own_detectors([policy, replace(policy, id="two", detectors=())])
    assert [each.name for each in got] == ["own/badge", "own/names", "two/names"]
    assert [each.kind for each in got] == ["BADGE", "NAME", "NAME"]


def test_patterns_are_taken_as_they_are():
    said = (CustomPattern(expression="a"), CustomPattern(expression="b", alone="", ignore_case=True))
    assert from_patterns("p", replace(BADGE, patterns=said)).patterns == (
        Pattern(expression="a"),
        Pattern(expression="b", alone="", ignore_case=True),
    )


@pytest.mark.parametrize(
    ("said", "value", "before", "lenient", "want"),
    [
        ({}, "1", "", False, 1.0),
        ({"score_percent": 60}, "1", "", False, 0.6),
        ({"score_percent": 60, "context": ("badge",)}, "1", "my Badge: ", False, 1.0),
        ({"score_percent": 60, "context": ("badge",)}, "1", "my badges: ", False, 0.6),
        ({"context": ("badge",), "needs_context": True}, "1", "my ", False, None),
        ({"context": ("x", "staff number"), "needs_context": True}, "1", "staff number ", False, 1.0),
        ({"validator": "luhn"}, "1234566", "", False, 1.0),
        ({"validator": "luhn"}, "1234567", "", True, None),
        ({"validator": "luhn", "context": ("badge",)}, "1234567", "badge ", False, None),
        ({"validator": "luhn", "context": ("badge",)}, "1234567", "badge ", True, 1.0),
    ],
)
def test_a_candidate_is_judged_by_context_and_validator(said, value, before, lenient, want):
    assert score(replace(BADGE, **said), value, before=before, lenient=lenient) == want


@pytest.mark.parametrize(
    ("word", "before", "found"),
    [
        ("id", "ID ", True),
        ("id", "Madrid ", False),
        ("id", "client_id=", True),
        ("número", "numero ", True),
        ("staff number", "staff-number: ", True),
        ("badge", "[redacted:badge] ", False),
        ("badge", "x" * 54 + ":badge:2] ", False),
    ],
)
def test_a_context_word_stands_by_itself_and_in_no_placeholder(word, before, found):
    got = score(replace(BADGE, context=(word,), needs_context=True), "1", before=before)
    assert (got is not None) is found


@pytest.mark.parametrize(
    "text", ["a.b*c", "(x|y)", "tab\tline\nnul\x00", "x{3}", "^$", "a\\d", "Größe—7", "[a-z]", "日本"]
)
def test_a_literal_matches_itself_alone(text):
    expression = expression_of(text)
    parse(expression)
    assert re.fullmatch(expression, text)
    assert not re.fullmatch(expression, text.replace(text[1], "q"))


def test_literals_are_looked_for_as_they_are_scanned():
    got = from_literals("p", replace(NAMES, values=("Ｍüller", "Muller", "a\u200bbc")))
    assert [pattern.expression for pattern in got.patterns] == ["Muller", "abc"]


def test_options_hold_for_each_literal():
    got = from_literals("p", replace(NAMES, values=("one", "two"), alone="", ignore_case=True))
    assert {(pattern.alone, pattern.ignore_case) for pattern in got.patterns} == {("", True)}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("quartz-7", True),
        ("7-ztrauq", True),
        ("q u a r t z - 7", True),
        ("q.u.a.r.t.z.7", True),
        ("7_z_t_r_a_u_q", True),
        ("q - u - a - r - t - z - 7", True),
        ("quar tz-7", False),
        ("quartz", False),
    ],
)
def test_a_disguised_literal_is_found_backwards_and_spelled_out(text, found):
    assert matched(from_literals("p", replace(NAMES, values=("quartz-7",), disguised=True)), text) is found
    assert matched(from_literals("p", replace(NAMES, values=("quartz-7",))), text) is (text == "quartz-7")


def test_what_has_few_letters_is_not_spelled_out():
    got = from_literals("p", replace(NAMES, values=("a-1",), disguised=True))
    assert [pattern.expression for pattern in got.patterns] == [r"a\-1", r"1\-a"]


def test_a_palindrome_is_looked_for_once():
    assert len(from_literals("p", replace(NAMES, values=("level",), disguised=True)).patterns) == 2
