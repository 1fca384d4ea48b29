# SPDX-License-Identifier: Apache-2.0
import pytest

from policies.scanning.expression import characters, parse
from policies.scanning.forms import backward, core, for_value, forward, opening

NOTHING = frozenset()


def test_a_form_looks_at_what_stands_beside():
    assert forward(parse("a"), before=characters("b"), behind=NOTHING) == r"[\x00-\x61\x63-\xff](?:\x61)[\x00-\xff]"


def test_backward_is_read_from_the_end():
    assert backward(parse("a(?:bc|d){2}e"), before=NOTHING) == r"^(?:\x65(?:\x63\x62|\x64){2}\x61)[\x00-\xff]"


@pytest.mark.parametrize(
    ("expression", "same_as"),
    [
        ("[a-z]{20}@b", "@b"),
        ("[a-f0-9]{24}:b", ":b"),
        ("[a-z]{2,9}@b", "@b"),
        ("[a-z]{2,9}(?:@b){2}-", "(?:@b){2}-"),
        ("[a-z]{2,9}[0-9]b", "[a-z]{2}[0-9]b"),
        ("[a-z]{0,9}[0-9]b", None),
        ("[a-z]{2}@b", None),
        ("@[a-z]{20}", None),
    ],
)
def test_the_core_has_no_more_of_a_wide_beginning_than_makes_what_is_left_rare(expression, same_as):
    assert core(parse(expression)) == (None if same_as is None else parse(same_as))


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("abc", r"\x61|(?:\x62|\x63\x62)\x61"),
        ("a{3}", r"\x61\x61{0,2}"),
        ("a+", r"\x61\x61*"),
        ("a?", r"\x61"),
        ("a|bc", r"\x61|\x62|\x63\x62"),
    ],
)
def test_an_opening_is_all_that_a_match_may_begin_with(expression, expected):
    assert opening(parse(expression), before=NOTHING) == rf"^(?:{expected})[\x00-\xff]"


def test_nothing_opens_nothing():
    assert opening(parse(""), before=NOTHING) is None


def test_tells_the_value_within_a_match():
    match = for_value(parse("key=(?P<value>[a-z]+)(?:;|,)")).fullmatch(b"key=abc;")
    assert match
    assert match[1] == b"abc"
