# SPDX-License-Identifier: Apache-2.0
import re
import warnings

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.scanning.expression import ExpressionError, characters, literal, parse
from policies.scanning.forms import for_value
from policies.scanning.tree import Chars


@pytest.mark.parametrize(
    ("expression", "takes", "leaves"),
    [
        ("ab", "ab", "ba"),
        ("a|bc", "bc", "c"),
        ("(?:ab)+", "abab", "aba"),
        ("(ab){2,3}", "ababab", "ab"),
        ("a{,2}b", "aab", "aaab"),
        ("[a-c]{2}", "bc", "bd"),
        ("[^a-c]", "d", "a"),
        ("[]a]+", "]a]", "[a"),
        ("[a-]+", "a-a", "b"),
        (r"\d\s\w", "1\t_", "1__"),
        (r"[\d.]+", "1.2", "a"),
        (r"\.\{\x41", ".{A", "a{A"),
        ("a.c", "a-c", "a\nc"),
        ("a+?", "aa", ""),
        ("(?P<value>a)b", "ab", "b"),
        ("[aé]", "é", "e"),
        ("Müller", "Müller", "Muller"),
    ],
)
def test_takes_what_re_takes(expression, takes, leaves):
    written = for_value(parse(expression))
    assert written.fullmatch(takes.encode())
    assert not written.fullmatch(leaves.encode())


def test_ignores_case_also_in_classes_and_beyond_ascii():
    written = for_value(parse("[a-c]x\\w+É", ignore_case=True))
    assert written.fullmatch("BXyzé".encode())
    assert written.fullmatch("bxYZÉ".encode())


@pytest.mark.parametrize(
    ("expression", "offset", "says"),
    [
        ("a(?=b)", 1, "linear"),
        ("a(?<!b)", 1, "linear"),
        (r"(a)\1", 3, "escape"),
        ("^a", 0, "anchor"),
        ("a$", 1, "anchor"),
        (r"a\b", 1, "escape"),
        ("a**", 0, "repeated"),
        ("a{2}{3}", 0, "repeated"),
        ("*a", 0, "nothing to repeat"),
        ("a{3,2}", 1, "at most"),
        ("a{0}", 1, "nothing"),
        ("a{5000}", 1, "turns"),
        ("a{x}", 1, "brace"),
        ("a++", 2, "possessive"),
        ("(a", 0, "not closed"),
        ("a)", 1, "not opened"),
        ("[a", 0, "not closed"),
        ("[z-a]", 1, "range"),
        ("[a-é]", 1, "ASCII"),
        ("[^é]", 0, "ASCII"),
        (r"\xg1", 0, "hexadecimal"),
        (r"\é", 0, "escape"),
        ("(?P<value>a)(?P<value>b)", 12, "second"),
        ("(?P<value>a)+", 0, "within a repetition"),
        ("(" * 40 + "a" + ")" * 40, 33, "deeper"),
        ("a" * 5000, 4096, "at most"),
    ],
)
def test_refuses_the_rest_with_its_place(expression, offset, says):
    with pytest.raises(ExpressionError, match=says) as refused:
        parse(expression)
    assert refused.value.offset == offset


@given(st.text(alphabet="ab()[]{}|*+?\\-^$.,123é ", max_size=12))
def test_refuses_or_means_what_re_means(expression):
    try:
        tree = parse(expression)
    except ExpressionError:
        return
    written = for_value(tree)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # `[[` may come to mean something else to re
        theirs = re.compile(expression.encode(), re.DOTALL) if expression.isascii() else None
    for text in (b"", b"a", b"b", b"ab", b"aab", b"1", b"aa", b"-", b"a1b"):
        if theirs is not None and "." not in expression:
            assert bool(written.fullmatch(text)) == bool(theirs.fullmatch(text))


def test_a_literal_is_taken_as_it_is():
    assert for_value(literal("a.b*")).fullmatch(b"a.b*")
    assert for_value(literal("ab", ignore_case=True)).fullmatch(b"aB")


def test_a_lone_surrogate_is_what_a_copy_has_in_its_place():
    assert for_value(literal("\ud800")).fullmatch(b"?")


def test_names_the_characters_of_a_class():
    assert characters("a-c_") == frozenset(b"abc_")
    assert characters("") == frozenset()
    with pytest.raises(ExpressionError):
        characters("é")


def test_one_character_is_no_choice():
    assert parse("[a]") == Chars(frozenset(b"a"))
