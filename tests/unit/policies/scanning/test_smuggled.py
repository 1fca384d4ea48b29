# SPDX-License-Identifier: Apache-2.0
import pytest

from policies.scanning.copy import ScanCopy
from policies.scanning.smuggled import smuggled, smuggles

SECRET = "AKIA" + "IOSFODNN7EXAMPLE"


def tags_of(text):
    return "".join(chr(0xE0000 + ord(character)) for character in text)


def selectors_of(text):
    return "".join(chr(0xFE00 + byte if byte < 16 else 0xE0100 + byte - 16) for byte in text.encode())


@pytest.mark.parametrize("spell", [tags_of, selectors_of])
def test_sees_what_is_spelt_and_where(spell):
    text = "hé\U0001f600" + spell(SECRET + " ok") + "!"
    (view,) = smuggled(ScanCopy.of(text))
    assert view.data.decode() == SECRET + " ok"
    start, end = view.original(0, len(SECRET))
    assert spell(SECRET) == text[start:end]
    assert SECRET.encode() not in ScanCopy.of(text).data


def test_what_is_not_ascii_is_no_text_and_loses_no_place():
    text = selectors_of("key\né" + SECRET)
    (view,) = smuggled(ScanCopy.of("x" + text + "y"))
    at = view.data.index(SECRET.encode())
    assert view.data[:at] == b"key\n\0\0"
    assert view.original(at, at + 1) == (7, 8)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("plain", id="ascii"),
        pytest.param("\u2764\ufe0f\u200d\U0001f525 4\ufe0f\u20e3", id="emoji"),
    ],
)
def test_spells_nothing(text):
    assert list(smuggled(ScanCopy.of(text))) == []


def test_variants_of_ideographs_spell_no_text():
    spelt = [view.data for view in smuggled(ScanCopy.of("\u908a\U000e0101\u908a\U000e0102."))]
    assert spelt == [b"\x11", b"\x12"]


def test_what_ends_the_text_may_go_on():
    (view,) = smuggled(ScanCopy.of("x" + tags_of("AK")))
    assert view.continues
    (view,) = smuggled(ScanCopy.of("x" + tags_of(SECRET) + "."))
    assert not view.continues


def test_only_texts_that_may_spell_are_looked_through():
    assert smuggles("x" + tags_of("a"))
    assert smuggles("x" + selectors_of("a"))
    assert not smuggles("4\ufe0f\u20e3 Ж\ud800")
