# SPDX-License-Identifier: Apache-2.0
"""No cell can become a formula, in whatever program it is opened, and nothing in it hides."""

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlplane.exports.cells import harmless, visible
from tests.exported import FORMULAS

SIGNS = "=+-@＝＋－＠﹢﹣﹦﹫⁺⁻⁼₊₋₌−"


def first_that_counts(cell: str) -> str:
    """Return the first letter that a program which skips all it might skip would look at; an apostrophe counts."""
    for letter in cell:
        if letter == "'":
            return letter
        if not letter.isspace() and letter not in '"`´‘’‚‛“”„‟«»‹›＂＇' and unicodedata.category(letter)[0] != "C":
            return unicodedata.normalize("NFKC", letter)[0]
    return ""


@pytest.mark.parametrize("text", FORMULAS, ids=ascii)
def test_a_formula_is_text(text):
    assert harmless(text).startswith("'")


@pytest.mark.parametrize("text", ["a;=1+1", "a\t=1+1", 'a;"=1+1"', "a; \u200b＝1", "a\r\n@SUM(1)"], ids=ascii)
def test_a_formula_behind_another_separator_is_text(text):
    assert re.search(r"(;|\\t|\\n)[ \"]*(\\u200b)?'[=＝@]", harmless(text)) is not None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "parrot",
        "req_01JD",
        "sha256:9f2c",
        "a-b",
        "a=b",
        "modèle",
        "user:a@b.example",
        "4711",
        "p1:3f access-denied",
    ],
)
def test_what_is_no_formula_stays_as_it_is(text):
    assert harmless(text) == text


@pytest.mark.parametrize(
    ("text", "want"),
    [
        pytest.param("a\nb", r"a\nb", id="line feed"),
        pytest.param("a\r\nb", r"a\r\nb", id="line break of two"),
        pytest.param("a\x1b[2Jb", r"a\x1b[2Jb", id="escape sequence"),
        pytest.param("a\x9b2Jb", r"a\x9b2Jb", id="escape sequence of one byte"),
        pytest.param("a\u2028b", r"a\u2028b", id="line separator"),
        pytest.param("a\u202eb", r"a\u202eb", id="direction"),
        pytest.param("a\x00b", r"a\x00b", id="NUL"),
        pytest.param("a\U000e0041b", r"a\U000e0041b", id="tag letters"),
        pytest.param("a\ud800b", r"a\ud800b", id="half a surrogate pair"),
    ],
)
def test_what_hides_is_shown(text, want):
    assert visible(text) == harmless(text) == want


@given(st.text(st.one_of(st.sampled_from(SIGNS + " \t\r\n;\"'\u200b\ufeff\x1b"), st.characters()), max_size=12))
def test_no_cell_begins_as_a_formula_nor_breaks_its_line(text):
    cell = harmless(text)
    for part in cell.split(";"):
        assert first_that_counts(part) not in set("=+-@−")
    assert not any(unicodedata.category(letter) in {"Cc", "Cf", "Cs", "Zl", "Zp"} for letter in cell)
    assert len(cell.splitlines()) <= 1
