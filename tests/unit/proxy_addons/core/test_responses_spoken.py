# SPDX-License-Identifier: Apache-2.0
import pytest

from proxy_addons.core.responses_spoken import Place, SpokenItem
from proxy_addons.core.sse_calls import MAX_HELD_CHARS
from proxy_addons.core.sse_tree import NotExaminable
from tests.responses import called, item_of, means
from tests.streams import EMAIL

PLACE = Place("content", 0, "output_text")
CALL = called(["{}"])[-1]["item"]


def message(*pieces: str) -> SpokenItem:
    item = SpokenItem(item_of("output_text"), means())
    for piece in pieces:
        item.text(PLACE).feed(piece)
    return item


def test_an_item_is_written_from_what_was_let_go():
    item = message("ask ", "alice@example", ".com")
    assert item.finish(item_of("output_text", f"ask {EMAIL}")) == [(PLACE, "[redacted:email]"), (PLACE, "")]
    assert item.written == item_of("output_text", "ask [redacted:email]")
    item.check_again(item_of("output_text", f"ask {EMAIL}"))


def test_what_was_said_first_stays():
    item = message("Hi")
    item.finish({**item_of("output_text", "Hi"), "id": "another"})
    assert item.written == item_of("output_text", "Hi")


def test_texts_that_the_whole_leaves_out_end_with_it():
    item = message("since 2024")
    assert item.finish(item_of("output_text")) == [(PLACE, "2024")]
    with pytest.raises(NotExaminable):
        item.text(PLACE).feed("1")


@pytest.mark.parametrize(
    "other",
    [item_of("output_text", "Ho"), item_of("refusal", "Hi"), item_of("output_text", "Hi", "Ho"), CALL, {"type": "x"}],
)
def test_another_item_when_told_again_is_a_differential(other):
    item = message("Hi")
    item.finish(item_of("output_text", "Hi"))
    with pytest.raises(NotExaminable):
        item.check_again(other)


def test_members_beside_the_known_are_dropped():
    item = SpokenItem({**CALL, "note": EMAIL}, means())
    item.finish({**CALL, "note": EMAIL})
    assert (item.begun, item.written) == ({**CALL, "arguments": ""}, CALL)


@pytest.mark.parametrize("whole", ['{"a": 2}', "", None, {"a": 1}])
def test_arguments_are_those_of_the_pieces(whole):
    item = SpokenItem(CALL, means())
    item.add_arguments('{"a": ')
    item.add_arguments("1}")
    item.check_arguments('{"a": 1}')
    with pytest.raises(NotExaminable):
        item.check_arguments(whole)


def test_arguments_beyond_what_is_held_are_refused():
    item = SpokenItem(CALL, means())
    with pytest.raises(NotExaminable):
        item.add_arguments("x" * (MAX_HELD_CHARS + 1))


def test_only_calls_have_arguments_and_only_messages_what_they_say():
    with pytest.raises(NotExaminable):
        message().add_arguments("{}")
    with pytest.raises(NotExaminable):
        SpokenItem(CALL, means()).text(PLACE)


def test_annotations_are_looked_at_once():
    item = message()
    assert item.annotation({"url": EMAIL}) == item.annotation({"url": EMAIL}) == {"url": "[redacted:email]"}
    with pytest.raises(NotExaminable):
        item.annotation(EMAIL)
