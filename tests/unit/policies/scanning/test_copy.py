# SPDX-License-Identifier: Apache-2.0
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.scanning.copy import ScanCopy, _OfEach, _OfFew
from policies.scanning.fold import folded

TEXTS = st.text(
    st.one_of(
        st.characters(categories=None, exclude_categories=()),
        st.sampled_from("4a é４\u200b\U000e0041…ﬃ中😀\ud800\u0301"),
    )
)


@pytest.mark.parametrize(
    ("text", "found", "want"),
    [
        pytest.param("card 4111", "4111", "4111", id="ascii"),
        pytest.param("карта 4111", "4111", "4111", id="behind-other-scripts"),
        pytest.param("😀 ４１１１!", "4111", "４１１１", id="full-width"),
        pytest.param(
            "a\u200b4\u200b1\u0301\u200b1\u200b1\u200b.", "4111", "4\u200b1\u0301\u200b1\u200b1", id="removed-between"
        ),
        pytest.param("x…4", "4", "4", id="behind-one-that-is-several"),
        pytest.param("x…4", ".4", "…4", id="part-of-one-that-is-several"),
        pytest.param("\ud8004", "4", "4", id="behind-half-a-pair"),
        pytest.param("é4", "4", "4", id="behind-a-letter-with-a-mark"),
    ],
)
def test_leads_back_to_what_was_found(text, found, want):
    copy = ScanCopy.of(text)
    at = copy.data.rindex(found.encode())
    start, end = copy.original(at, at + len(found))
    assert want == text[start:end]


def test_what_stands_before_and_behind_is_not_part_of_it():
    text = "\u200b\u200b4\u200b\u200b"
    assert ScanCopy.of(text).original(0, 1) == (2, 3)


@given(TEXTS)
def test_is_the_utf8_of_the_folded_text(text):
    assert folded(text).encode() == ScanCopy.of(text).data


@given(TEXTS, st.data())
def test_spans_cover_what_any_byte_stems_from_and_nothing_else(text, draw):
    copy = ScanCopy.of(text)
    stems = [at for at, character in enumerate(text) for _ in folded(character).encode()]
    assert len(stems) == len(copy.data)
    if stems:
        start = draw.draw(st.integers(0, len(stems) - 1))
        end = draw.draw(st.integers(start + 1, len(stems)))
        assert (stems[start], stems[end - 1] + 1) == copy.original(start, end)


@given(TEXTS)
def test_knows_where_the_bytes_of_a_code_point_begin(text):
    copy = ScanCopy.of(text)
    for at in range(len(text) + 1):
        assert folded(text[:at]).encode() == copy.data[: copy.byte_of(at)]


@given(st.text(st.sampled_from("ab4\n") | st.sampled_from("é４\u200b\u0301中😀\ufdfa\ud800\u00ad"), max_size=30))
def test_the_places_of_few_lead_back_as_those_of_each_do(text):
    few, each = _OfFew(text), _OfEach(text)
    size = len(ScanCopy(text).data)
    spans = [(start, end) for start in range(size) for end in range(start + 1, size + 1)]
    assert [few.original(*span) for span in spans] == [each.original(*span) for span in spans]
    points = range(len(text) + 1)
    assert list(map(few.byte_of, points)) == list(map(each.byte_of, points))


@pytest.mark.parametrize(("text", "kind"), [("é" + "a" * 8, _OfFew), ("é" + "a" * 7, _OfEach)])
def test_which_places_are_kept_depends_on_how_many_there_are(text, kind):
    assert isinstance(ScanCopy(text)._places(), kind)
