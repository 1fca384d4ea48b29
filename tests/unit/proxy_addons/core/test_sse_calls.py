# SPDX-License-Identifier: Apache-2.0
import pytest

from proxy_addons.core.sse_calls import MAX_HELD_CHARS, Allowance, HeldCalls
from proxy_addons.core.sse_tree import NotExaminable


def held(*pieces):
    calls = HeldCalls(Allowance())
    for piece in pieces:
        calls.add("tool_calls", piece)
    return calls


def test_pieces_become_whole_calls():
    calls = held(
        [{"index": 0, "id": "a", "function": {"name": "f", "arguments": ""}}],
        [{"index": 1, "id": "b", "function": {"name": "g", "arguments": "{"}}],
        [{"index": 0, "id": None, "function": {"arguments": "{}"}}],
        [{"index": 1, "id": "b", "function": {"name": None, "arguments": "}"}}],
    )
    assert calls
    assert calls.taken() == {
        "tool_calls": [
            {"index": 0, "function": {"name": "f", "arguments": "{}"}, "id": "a"},
            {"index": 1, "id": "b", "function": {"name": "g", "arguments": "{}"}},
        ]
    }
    assert not calls
    assert calls.taken() == {}


def test_a_text_that_is_said_again_is_not_taken_for_one_said_whole_again():
    pieces = [[{"index": 0, "function": {"arguments": "1"}}]] * 3
    assert held(*pieces).taken()["tool_calls"][0]["function"]["arguments"] == "111"


def test_both_kinds_of_calls_are_held():
    calls = held([{"index": 0, "id": "a"}])
    calls.add("function_call", {"name": "f"})
    assert calls.taken() == {"tool_calls": [{"index": 0, "id": "a"}], "function_call": {"name": "f"}}


def test_no_more_is_held_than_the_answer_is_allowed():
    allowance = Allowance()
    half = [{"index": 0, "function": {"arguments": "x" * (MAX_HELD_CHARS // 2)}}]
    HeldCalls(allowance).add("tool_calls", half)
    second = HeldCalls(allowance)
    second.add("tool_calls", half)
    with pytest.raises(NotExaminable):
        second.add("tool_calls", [{"index": 0, "function": {"arguments": "x"}}])


@pytest.mark.parametrize("leaf", ["", None, 1])
def test_no_more_members_are_held_than_the_answer_is_allowed(leaf):
    with pytest.raises(NotExaminable):
        held(*([{"index": 0, str(number): leaf}] for number in range(5_000)))
