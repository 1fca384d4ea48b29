# SPDX-License-Identifier: Apache-2.0
import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlplane.services.cursors import Cursors
from controlplane.services.errors import Invalid

CURSORS = Cursors(b"k" * 32)
LIST = {"path": "/v1/decisions", "filters": {"model": ["parrot"]}}


@given(st.text(st.characters(codec="utf-8"), max_size=50))
def test_a_cursor_gives_its_position_back(position):
    assert CURSORS.read(CURSORS.give(position, of=LIST), of=LIST) == position


def test_a_cursor_of_another_list_or_key_is_refused():
    cursor = CURSORS.give("7", of=LIST)
    with pytest.raises(Invalid):
        CURSORS.read(cursor, of=LIST | {"filters": {}})
    with pytest.raises(Invalid):
        Cursors(b"j" * 32).read(cursor, of=LIST)


@given(st.text(max_size=80))
def test_what_was_never_given_is_refused(text):
    with pytest.raises(Invalid):
        CURSORS.read(text, of=LIST)


@given(st.integers(0, 200), st.sampled_from("ABab01_-"))
def test_an_altered_cursor_is_refused(place, letter):
    cursor = CURSORS.give("7 1000", of=LIST)
    place %= len(cursor) - 1  # the last character has bits that do not count
    if cursor[place] != letter:
        with pytest.raises(Invalid):
            CURSORS.read(cursor[:place] + letter + cursor[place + 1 :], of=LIST)


def test_a_cursor_with_any_character_changed_is_refused():
    cursors = Cursors(b"k" * 32)
    for position in ("a", "ab", "abc"):  # so that the last character has none, two and four bits that nobody reads
        cursor = cursors.give(position, of={"path": "/v1/policies"})
        for index, character in enumerate(cursor):
            for other in {"A", "B", "C", "D", "_", "="} - {character}:
                with pytest.raises(Invalid):
                    cursors.read(cursor[:index] + other + cursor[index + 1 :], of={"path": "/v1/policies"})
