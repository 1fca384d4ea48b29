# SPDX-License-Identifier: Apache-2.0
from policies.detectors.contract import Detector, Pattern
from policies.scanning.table import PatternTable


def detector(name: str, *patterns: Pattern) -> Detector:
    return Detector(name=name, kind=name, group="", patterns=patterns, finds=(), ignores=())


A, B = Pattern(expression="a"), Pattern(expression="x(?P<value>b)", until="END")


def test_a_pattern_that_detectors_share_is_looked_for_once():
    table = PatternTable([detector("one", A, A), detector("two", B, A)])
    assert table.patterns == (A, B)
    assert table.owners == ((0, 1), (1,))


def test_knows_which_part_of_a_match_is_the_value_and_what_ends_a_finding():
    table = PatternTable([detector("one", A, B)])
    assert table.values[0] is None
    assert table.until_of[0] is None
    assert table.values[1] is not None
    assert table.values[1].fullmatch(b"xb")[1] == b"b"
    assert table.until_of[1] is not None
    assert table.until_of[1].search(b"..END")


def test_what_is_behind_the_patterns_is_a_mark():
    table = PatternTable([detector("one", A, B)])
    assert [table.is_mark(number) for number in (0, 1, 2)] == [False, False, True]
