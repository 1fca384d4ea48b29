# SPDX-License-Identifier: Apache-2.0
"""Literals are found, and held back for, exactly as the definition says: compared with the definition itself."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.scanning.expression import characters, parse
from policies.scanning.literals import Literal, LiteralDatabases, LiteralScanner, text_of

WORD = characters("A-Za-z0-9")
NOTHING = frozenset[int]()

SIDES = st.sampled_from([WORD, NOTHING, characters("-")])
LITERALS = st.lists(
    st.builds(
        Literal,
        number=st.just(0),
        text=st.text("ab-", min_size=1, max_size=7).map(str.encode),
        caseless=st.booleans(),
        before=SIDES,
        behind=SIDES,
    ),
    min_size=1,
    max_size=6,
    unique_by=lambda each: (each.text, each.caseless, each.before, each.behind),
)
DATA = st.text("aAbB- ", max_size=12).map(str.encode)


def numbered(literals: list[Literal]) -> list[Literal]:
    return [replace(literal, number=number) for number, literal in enumerate(literals)]


def same(literal: Literal, data: bytes) -> bool:
    return (data.lower() if literal.caseless else data) == literal.text


def may_begin(literal: Literal, data: bytes, start: int, *, first: int = 0) -> bool:
    return start >= first and (start == 0 or data[start - 1] not in literal.before)


@given(LITERALS, DATA, st.booleans(), st.booleans())
def test_every_end_is_told_and_no_other(literals, data, begun, final):
    literals = numbered(literals)
    want = {
        (literal.number, end)
        for literal in literals
        for start in range(len(data))
        if same(literal, data[start : (end := start + len(literal.text))]) and end <= len(data)
        if may_begin(literal, data, start, first=int(begun))
        if (final if end == len(data) else data[end] not in literal.behind)
    }
    got = LiteralScanner(LiteralDatabases.of(literals)).ends(data, begun=begun, final=final)
    assert (len(got), set(got)) == (len(want), want)
    assert [end for _, end in got] == sorted(end for _, end in got)


@given(LITERALS, DATA)
def test_all_that_may_still_become_a_literal_is_held_and_nothing_else(literals, data):
    want = min(
        (
            start
            for literal in literals
            for start in range(len(data))
            if may_begin(literal, data, start)
            and same(replace(literal, text=literal.text[: len(data) - start]), data[start:])
        ),
        default=len(data),
    )
    assert LiteralScanner(LiteralDatabases.of(numbered(literals))).opening(data) == want


def test_without_literals_nothing_is_found_and_nothing_held():
    scanner = LiteralScanner(LiteralDatabases.of([]))
    assert (scanner.ends(b"abc", begun=False, final=True), scanner.opening(b"abc")) == ([], 3)


@pytest.mark.parametrize(
    ("expression", "ignore_case", "want"),
    [
        ("abc", False, (b"abc", False)),
        (r"a\.b c", False, (b"a.b c", False)),
        ("a", False, (b"a", False)),
        ("été", False, ("été".encode(), False)),
        ("Abc-1", True, (b"abc-1", True)),
        ("12", True, (b"12", False)),
        ("été", True, None),
        ("a[bB]c", False, None),
        ("[aA][bB]", False, (b"ab", True)),
        ("[aB]", False, None),
        ("a+", False, None),
        ("a|b", False, None),
        ("a(?P<value>b)", False, None),
        ("a.", False, None),
    ],
)
def test_an_expression_of_one_text_is_one(expression, ignore_case, want):
    assert text_of(parse(expression, ignore_case=ignore_case)) == want


def test_ten_thousand_are_told_apart():
    literals = [
        Literal(number=number, text=f"name {number:05}".encode(), caseless=False, before=WORD, behind=WORD)
        for number in range(10_000)
    ]
    scanner = LiteralScanner(LiteralDatabases.of(literals))
    assert scanner.ends(b"name 00007, name 09999 and name 1", begun=False, final=True) == [(7, 10), (9999, 22)]
    assert scanner.opening(b"name 00007, name 0999") == 12
