# SPDX-License-Identifier: Apache-2.0
import re
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.detectors.contract import Pattern
from policies.scanning.budget import Budget, Judging
from policies.scanning.databases import CannotScan, Databases
from policies.scanning.expression import ExpressionError
from policies.scanning.scanner import Scanner

EXPRESSIONS = ("ab", "a+b", "(?:a|bb){1,3}", "a{2,}", "b[ab]?1", "1(?: ?1){2,4}", "(?:ab|a)(?:b1|1)")
PATTERNS = tuple(
    Pattern(expression=expression, alone=alone, alone_before=before)
    for expression in EXPRESSIONS
    for alone, before in (("", None), ("1", None), ("ab", None), ("ab", ""), ("", "1"))
)
SCANNER = Scanner(Databases.of(PATTERNS))
ONE_WIDTH = {number for number, pattern in enumerate(PATTERNS) if pattern.expression == "ab"}
TEXTS = st.text(alphabet="ab1 ", max_size=14).map(str.encode)


def sides(pattern):
    behind = set(pattern.alone.encode())
    return behind, behind if pattern.alone_before is None else set(pattern.alone_before.encode())


def spans(pattern, text):
    """Every match of the pattern in the text, found by trying all of them with re."""
    whole = re.compile(pattern.expression.encode())
    touching, before = sides(pattern)
    return {
        (start, end)
        for start in range(len(text) + 1)
        for end in range(start, len(text) + 1)
        if whole.fullmatch(text[start:end])
        and not (start and text[start - 1] in before)
        and not (end < len(text) and text[end] in touching)
    }


@given(TEXTS)
def test_tells_every_end_of_every_match(text):
    expected = {(number, end) for number, pattern in enumerate(PATTERNS) for _, end in spans(pattern, text)}
    assert set(SCANNER.ends(text)) == expected


@given(TEXTS)
def test_tells_every_beginning_of_the_matches_with_an_end(text):
    by_end = {}
    for number, pattern in enumerate(PATTERNS):
        for start, end in spans(pattern, text):
            by_end.setdefault(end, set()).add((number, start))
    for end, expected in by_end.items():
        found = {(n, s) for n, s in SCANNER.starts(text, end, {n for n, _ in expected})}
        assert {(number, start) for number, start in found if number not in ONE_WIDTH} == {
            (number, start) for number, start in expected if number not in ONE_WIDTH
        }
        assert found >= expected  # of matches of one width the beginning is not looked for, only counted back


@given(TEXTS)
def test_holds_exactly_what_may_become_a_finding(text):
    """The longest end of the text behind which something can be put so that a match begins there and goes beyond."""
    rests = ["".join(rest) for length in range(7) for rest in _rests(length)]
    expected = len(text)
    for start in range(len(text)):
        for rest in rests:
            longer = text + rest.encode()
            if any(
                s == start and e >= len(text) for pattern in PATTERNS for s, e in spans_from(pattern, longer, start)
            ):
                expected = start
                break
        if expected == start:
            break
    assert SCANNER.opening(text) == expected


def _rests(length):
    return [()] if not length else [(c, *rest) for c in "ab1" for rest in _rests(length - 1)] if length < 4 else []


def spans_from(pattern, text, start):
    whole = re.compile(pattern.expression.encode())
    touching, before = sides(pattern)
    if start and text[start - 1] in before:
        return
    for end in range(start, len(text) + 1):
        if whole.fullmatch(text[start:end]) and not (end < len(text) and text[end] in touching):
            yield start, end


@given(TEXTS, TEXTS)
def test_what_is_not_final_is_told_once_something_stands_behind(before, behind):
    told = set(SCANNER.ends(before + behind))
    early = set(SCANNER.ends(before, final=False))
    assert early <= told
    assert {(number, end) for number, end in told if end < len(before)} <= early


@given(TEXTS, TEXTS)
def test_what_stands_before_is_seen_as_what_it_is(before, text):
    whole = SCANNER.ends(before + b"-" + text)
    part = SCANNER.ends(b"-" + text, begun=True)
    assert {(number, end - len(before)) for number, end in whole if end > len(before) + 1} == set(part)


@given(st.booleans(), TEXTS)
def test_sees_whether_anything_ends(begun, text):
    assert SCANNER.sees(text, begun=begun) == bool(SCANNER.ends(text, begun=begun, final=False))


@pytest.mark.parametrize("length", [100, 127, 128, 129, 1023, 1024, 1025, 5000])
@pytest.mark.parametrize("before", [b"", b"-", b"1", b"-" * 2000])
def test_tells_where_a_long_match_begins(length, before):
    scanner = Scanner(Databases.of((Pattern(expression="a{2,}b|a{4,}", alone="1"), Pattern(expression="ca+b"))))
    text = before + b"a" * length + b"b"
    found = set(scanner.starts(text, len(text), {0, 1}))
    assert ((0, len(before)) in found) == (before != b"1")
    assert found == {(0, start) for start in range(len(before) + (before == b"1"), len(text) - 2)}


def test_without_patterns_nothing_is_found_or_held():
    scanner = Scanner(Databases.of(()))
    assert not scanner.ends(b"ab")
    assert scanner.opening(b"ab") == 2


def test_what_cannot_be_compiled_is_refused():
    with pytest.raises(ExpressionError):
        Databases.of([Pattern(expression="(?=a)")])
    with pytest.raises(CannotScan):
        Databases.of([Pattern(expression="(?:[ab]{1,200}c){1,200}")])
    with pytest.raises(CannotScan):
        Scanner(Databases(ends=b"none", starts=b"", openings=b"", widths=(), longest=(), alphabets=()))


def test_threads_can_ask_one_scanner():
    wrong = []

    def ask():
        answers = [(len(SCANNER.ends(b"ab 1 1 1 aab")), SCANNER.opening(b"ab b")) for _ in range(300)]
        wrong.extend(answer for answer in answers if answer != (expected, 3))

    expected = len(SCANNER.ends(b"ab 1 1 1 aab"))
    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_looking_far_back_is_taken_from_the_budget():
    scanner = Scanner(Databases.of([Pattern(expression="a[^b]*b", alone="")]))
    judging = Judging()
    scanner.starts(b"a" * 9_000 + b"b", 9_001, {0}, Budget(judging=judging))
    assert judging.judged == 2
