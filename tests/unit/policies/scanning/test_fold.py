# SPDX-License-Identifier: Apache-2.0
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.scanning import fold
from policies.scanning.fold import FOLDS, folded

# Everything but lone surrogates, and those too.
TEXTS = st.text(st.characters(categories=None, exclude_categories=()))

ASCII = "".join(map(chr, range(128)))


@pytest.mark.parametrize(
    ("text", "want"),
    [
        pytest.param("４１１１　１１１１", "4111 1111", id="full-width"),
        pytest.param("𝟒𝟏𝟏𝟏 𝗔𝗞𝗜𝗔 𝓈𝑒𝒸", "4111 AKIA sec", id="mathematical"),
        pytest.param("①②❸➃⓹⓿ 🄰🅰🅐Ⓐ", "123450 AAAA", id="circled-and-squared"),
        pytest.param("٤١١١ ๔๑ ४१ ⁴₁", "4111 41 41 41", id="digits-of-other-scripts"),
        pytest.param("4️⃣1️⃣", "41", id="keycaps"),
        pytest.param("4\u200b1\u20601\ufeff1\u00ad1\u034f1\u20651\u31641", "41111111", id="invisible"),
        pytest.param("\u202e4\u20661\u2069\u200f", "41", id="bidi"),
        pytest.param("4\ufe0f1\U000e01001", "411", id="variation-selectors"),
        pytest.param("4\U000e00411\U000e007f1", "411", id="tags-within-a-number"),
        pytest.param("4\u0336\u0353\u0e391\u20e31\u093c", "411", id="marks-of-any-script"),
        pytest.param("раssword ѕесrеt ΑΚΙΑ ⲢⲞⲢ ᎪᏦ ꓮꓗ ոօ", "password secret AKIA POP AK AK no", id="look-alikes"),
        pytest.param("ᴘᴀssᴡᴏʀᴅ", "password", id="small-capitals"),
        pytest.param("élève e\u0301 ё Đłø ñ", "eleve e e Dlo n", id="diacritics"),
        pytest.param("a＠b．com c﹫d。org e@f․net", "a@b.com c@d.org e@f.net", id="at-signs-and-full-stops"),
        pytest.param("4111‐1111–1111−1111ー1", "4111-1111-1111-1111-1", id="dashes"),
        pytest.param("4111\u00a01111\u20071111\u202f1111\u28001", "4111 1111 1111 1111 1", id="spaces"),
        pytest.param("‘a’ “b” c′", "'a' \"b\" c'", id="quotes"),
        pytest.param("ﬁ № …", "fi No ...", id="several-characters"),
        pytest.param("％４１ ＼ｕ００４１ ＆＃６５；", "%41 \\u0041 &#65;", id="escapes"),
        pytest.param("a\ud800b\udfff", "a\ufffdb\ufffd", id="half-a-pair"),
        pytest.param("中文 한국어 א 😀", "中文 한국어 א 😀", id="other-scripts"),
    ],
)
def test_folds_to_what_is_read(text, want):
    assert want == folded(text)


def test_ascii_folds_to_itself():
    assert folded(ASCII) is ASCII
    assert folded(ASCII + "é")[:-1] == ASCII


def test_every_look_alike_is_beyond_ascii_and_looks_like_one_character_of_it():
    assert not [like for like in fold._ASCII_OF if like.isascii()]
    assert {1} == {len(character) for character in fold._ASCII_OF.values()}
    assert len("".join(fold._LOOK_ALIKES.values())) == len(fold._ASCII_OF) - 52


def test_the_search_knows_every_code_point_that_folds():
    texts = map(chr, range(0x110000))
    assert not [hex(ord(text)) for text in texts if folded(text) != fold._fold(text)]


def test_what_folds_is_itself_folded():
    # Nothing is seen in a second fold that was not seen in the first.
    texts = map(chr, range(0x20000))
    assert not [hex(ord(text)) for text in texts if folded(folded(text)) != folded(text)]


def test_what_unicode_calls_equivalent_folds_alike_but_for_hangul():
    texts = [chr(at) for at in range(0x20000) if not 0xAC00 <= at < 0xD7A4]
    assert not [
        hex(ord(text))
        for text in texts
        if folded(text) != folded(unicodedata.normalize("NFD", text)) and text.isprintable()
    ]


@given(TEXTS, TEXTS)
def test_folds_alike_wherever_it_is_cut(left, right):
    assert folded(left) + folded(right) == folded(left + right)


@pytest.mark.parametrize("ordinary", [1, 2, 3, 10, 100])
def test_dense_and_sparse_texts_fold_alike(ordinary):
    text = ("中" * ordinary + "４") * 200
    assert ("中" * ordinary + "4") * 200 == folded(text)


@given(TEXTS)
def test_always_has_utf8(text):
    folded(text).encode()


def test_what_is_remembered_is_bounded():
    for at in range(0x10000, 0x30000):
        folded(chr(at))
    assert len(FOLDS) <= FOLDS.MOST
