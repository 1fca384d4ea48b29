# SPDX-License-Identifier: Apache-2.0
import base64

import pytest

from policies.detectors.contract import BEFORE, Candidate, Detector, Pattern
from policies.scanning.budget import CANDIDATES, Budget, BudgetSpent, Judging
from policies.scanning.finder import LOOKBEHIND, Finder

SEEN: list[Candidate] = []


def _even(candidate: Candidate) -> float | None:
    SEEN.append(candidate)
    if candidate.lenient and candidate.before.endswith("number "):
        return 0.5
    return 1.0 if int(candidate.value.replace("-", "")) % 2 == 0 else None


NUMBER = Detector(
    name="number",
    kind="N",
    group="",
    patterns=(Pattern(expression=r"\d{2}(?:-\d{2}){1,3}"),),
    judge=_even,
    finds=(),
    ignores=(),
)
BLOCK = Detector(
    name="block",
    kind="B",
    group="",
    patterns=(Pattern(expression="<key>", alone="", until="</key>"),),
    finds=(),
    ignores=(),
)
KEYED = Detector(
    name="keyed", kind="K", group="", patterns=(Pattern(expression="key=(?P<value>[a-z]{4,})"),), finds=(), ignores=()
)
FINDER = Finder((NUMBER, BLOCK, KEYED))
STRICT, LENIENT = (False, False, False), (True, True, True)


def found(text: str, *, wanted=STRICT, **more) -> list[tuple[int, str]]:
    result = FINDER.find(text, wanted=wanted, budget=Budget(), **more)
    return [(each.detector, text[each.start : each.end]) for each in result.findings]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("call 12-34 now", [(0, "12-34")]),
        ("12-35-57", []),
        ("11-22-33-44", [(0, "11-22-33-44")]),
        ("key=abcd, key=abc", [(2, "abcd")]),
        ("<key>12-34</key>56-78", [(1, "<key>12-34</key>"), (0, "56-78")]),
        ("<key> to the end 12-34", [(1, "<key> to the end 12-34")]),
        ("<key> to the end\u200b\u0301", [(1, "<key> to the end\u200b\u0301")]),
        ("<key><key></key> <key>1</key><key>", [(1, "<key><key></key>"), (1, "<key>1</key>"), (1, "<key>")]),
        ("１２-３４", [(0, "１２-３４")]),
        ("1\u200b2-34.", [(0, "1\u200b2-34")]),
        ("%31%32-34", [(0, "%31%32-34")]),
        ("", []),
    ],
)
def test_finds_what_the_judges_take(text, expected):
    assert found(text) == expected


def test_what_is_encoded_is_cut_where_it_is_encoded():
    text = base64.b64encode(b"some words and 12-34 and more").decode()
    ((detector, cut),) = found(text)
    assert detector == 0
    assert b"12-34" in base64.b64decode(cut + "=" * (-len(cut) % 4))
    assert len(cut) < len(text)


def test_who_is_not_wanted_is_not_asked():
    SEEN.clear()
    assert found("12-34", wanted=(None, False, False)) == []
    assert not SEEN


def test_a_judge_is_told_what_stands_before_and_how_strict_to_be():
    assert found("number 12-35") == []
    assert found("number 12-35", wanted=LENIENT) == [(0, "12-35")]
    SEEN.clear()
    found("x" * 200 + " 12-34")
    assert {len(each.before) for each in SEEN} == {BEFORE}


def test_nothing_farther_away_than_a_stream_can_see_is_told():
    SEEN.clear()
    found("number " + "\u200b" * (LOOKBEHIND + 10) + "12-34")
    assert [each.before for each in SEEN] == [""]


def test_a_stream_is_told_what_is_decided():
    stream = FINDER.find("12-34 and 56-", wanted=STRICT, budget=Budget(), final=False)
    assert [(each.start, each.end) for each in stream.findings] == [(0, 5)]
    assert stream.decided == len("12-34 and ")


def test_a_block_that_is_not_over_says_what_it_waits_for():
    stream = FINDER.find("so <key>abc", wanted=STRICT, budget=Budget(), final=False)
    (block,) = stream.findings
    assert (block.start, block.head, block.end, stream.decided, stream.until_from) == (3, 8, 11, 11, 8)
    assert stream.until is not None
    assert stream.until.search(b"...</key>")


def test_quiet_text_is_decided_up_to_what_may_begin():
    assert FINDER.quiet("nothing at all ", 0) == 15
    assert FINDER.quiet("nothing 12", 0) == 8
    assert FINDER.quiet("here is 12-34 ", 0) is None
    assert FINDER.quiet("half an escape %3", 0) is None


def test_too_much_to_judge_is_an_error():
    judging = Judging()
    judging.judged = CANDIDATES - 3
    with pytest.raises(BudgetSpent):
        FINDER.find("12-34, " * 5, wanted=STRICT, budget=Budget(judging=judging))


def test_words_without_findings_are_clean():
    assert FINDER.clean_among(frozenset({"word", "12-34", "number 12-35"})) == {"word"}


def test_without_detectors_nothing_is_found():
    finder = Finder(())
    assert finder.find("12-34", wanted=(), budget=Budget()).findings == ()
    assert finder.quiet("some text ", 0) == 10


def test_what_a_long_run_holds_is_found_however_a_stream_cuts_it():
    run = base64.b64encode(b"some words and 12-34 and more").decode() + "x" * 100
    for text in (run, f"{run} "):
        assert FINDER.quiet(text, 0) is None
        assert FINDER.quiet(text, 80) is None
        assert FINDER.find(text, wanted=STRICT, budget=Budget(), final=False).findings
