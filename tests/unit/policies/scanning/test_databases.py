# SPDX-License-Identifier: Apache-2.0
import pytest

from policies.detectors.contract import Pattern
from policies.scanning.databases import MAX_MATCH_BYTES, CannotScan, Databases
from policies.scanning.expression import ExpressionError
from policies.scanning.scanner import Scanner


def test_what_was_compiled_is_bytes_that_a_scanner_loads():
    databases = Databases.of([Pattern(expression="ab+"), Pattern(expression="c{3}")])
    assert all(isinstance(each, bytes) and each for each in (databases.ends, databases.starts, databases.openings))
    assert (databases.widths, databases.longest) == ((0, 3), (MAX_MATCH_BYTES, 3))
    assert list(Scanner(databases).ends(b"abb ccc")) == [(0, 3), (1, 7)]


def test_the_same_patterns_are_compiled_once():
    assert Databases.of([Pattern(expression="once")]) is Databases.of([Pattern(expression="once")])


def test_a_mark_is_told_once_where_it_ends_and_opens_only_where_it_may_begin():
    scanner = Scanner(Databases.of([Pattern(expression="zz")], marks=[Pattern(expression="[a-f]{3}", alone="a-f")]))
    assert list(scanner.ends(b"abcd")) == [(1, 4)]
    assert [scanner.opening(data) for data in (b"xab", b"abcdab")] == [1, 6]


@pytest.mark.parametrize("expression", ["(?=a)", "a)"])
def test_an_expression_that_cannot_be_looked_for_is_refused(expression):
    with pytest.raises(ExpressionError):
        Databases.of([Pattern(expression=expression)])


def test_a_pattern_that_hyperscan_does_not_take_is_refused():
    with pytest.raises(CannotScan):
        Databases.of([Pattern(expression="(?:[ab]{1,200}c){1,200}")])
