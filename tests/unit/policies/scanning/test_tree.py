# SPDX-License-Identifier: Apache-2.0
import pytest

from policies.scanning.expression import parse
from policies.scanning.tree import alphabet, has_value, widths


@pytest.mark.parametrize(
    ("expression", "expected"),
    [("ab?", (1, 2)), ("a{2,4}|b", (1, 4)), ("a+", (1, None)), ("(?:ab){3}", (6, 6)), ("", (0, 0)), ("é", (2, 2))],
)
def test_knows_how_wide_a_match_is(expression, expected):
    assert widths(parse(expression)) == expected


@pytest.mark.parametrize(
    ("expression", "expected"), [("a(?P<value>[bc]{2,})", b"abc"), ("a?|[x-z]b", b"abxyz"), ("", b"")]
)
def test_knows_which_bytes_a_match_can_have(expression, expected):
    assert bytes(sorted(alphabet(parse(expression)))) == expected


def test_knows_whether_only_a_part_is_the_value():
    assert has_value(parse("x=(?P<value>a+)"))
    assert not has_value(parse("x=(a+)"))
