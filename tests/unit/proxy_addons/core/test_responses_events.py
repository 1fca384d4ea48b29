# SPDX-License-Identifier: Apache-2.0
import pytest

from proxy_addons.core.responses_events import ENDS, ToldResponse
from proxy_addons.core.sse_tree import NotExaminable
from tests.responses import TEXTS, answered, called, item_of, means, response, spoken
from tests.streams import EMAIL


def told() -> ToldResponse:
    return ToldResponse(means())


@pytest.mark.parametrize("shape", TEXTS)
def test_events_that_say_nothing_new_leave_as_they_came(shape):
    teller, sent = told(), answered(spoken(shape, ["Well. "]))
    left = [event for each in sent for event in teller.examined(each["type"], each)]
    for event in sent:
        del event["sequence_number"]
        event.pop("logprobs", None)
    assert [{**event, "logprobs": None} for event in left] == [{**event, "logprobs": None} for event in sent]
    assert teller.ended


def test_only_the_last_event_ends_the_answer():
    teller = told()
    for each in answered(spoken("output_text", ["Hi"]))[:-1]:
        list(teller.examined(each["type"], each))
        assert not teller.ended
    assert {"response.completed", "response.incomplete"} == ENDS


def test_unknown_events_are_dropped():
    teller = told()
    assert not teller.knows("response.note")
    assert list(teller.examined("response.note", {"type": "response.note", "note": EMAIL})) == []


def test_rests_are_pieces_and_calls_that_are_not_whole_have_none():
    teller = told()
    for each in [*spoken("output_text", ["since 2024"])[:3], *called(["{"], index=1)[:2]]:
        list(teller.examined(each["type"], each))
    assert [(each["type"], each["delta"]) for each in teller.rests()] == [("response.output_text.delta", "2024")]


def test_an_item_may_not_be_told_whole_before_it_is_done():
    teller = told()
    for each in spoken("output_text", ["Hi"])[:3]:
        list(teller.examined(each["type"], each))
    with pytest.raises(NotExaminable):
        list(
            teller.examined(
                "response.in_progress",
                {"type": "response.in_progress", "response": response(item_of("output_text", "Hi"))},
            )
        )


@pytest.mark.parametrize("member", ["response", "item", "part"])
def test_members_are_of_their_type(member):
    kinds = {
        "response": "response.created",
        "item": "response.output_item.added",
        "part": "response.content_part.added",
    }
    teller = told()
    for each in spoken("output_text", ["Hi"])[:1]:
        list(teller.examined(each["type"], each))
    event = {"type": kinds[member], "output_index": 0 if member == "part" else 1, "content_index": 0, member: "x"}
    with pytest.raises(NotExaminable):
        list(teller.examined(kinds[member], event))
