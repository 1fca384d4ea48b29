# SPDX-License-Identifier: Apache-2.0
import json
from typing import Any

import pytest

from policies.contracts.decision import Reason
from policies.contracts.tools import RefusedCall
from policies.evaluation.tool_calls import CallVerdict
from proxy_addons.core.tool_decisions import (
    CallsInvalid,
    ChoiceCalls,
    HeldAnswer,
    arguments_of,
    without_calls_elsewhere,
)


def refused(index: int, action: str = "remove") -> CallVerdict:
    reason = Reason(code="call-not-permitted", policy="tools")
    return CallVerdict(index=index, refused=RefusedCall(name="*", reason=reason, action=action))


def allowed(index: int) -> CallVerdict:
    return CallVerdict(index=index)


def call(name: str = "search", arguments: Any = "{}", **more: Any) -> dict[str, Any]:
    return {"id": "c", "type": "function", "function": {"name": name, "arguments": arguments}, **more}


def held(*calls: Any, **message: Any) -> HeldAnswer:
    told = {"role": "assistant", "content": None, "tool_calls": list(calls), **message}
    answer = HeldAnswer.of({"choices": [{"index": 0, "message": told, "finish_reason": "tool_calls"}]})
    assert answer is not None
    return answer


def left_of(answer: HeldAnswer, *verdicts: CallVerdict) -> dict[str, Any]:
    written = answer.decided([verdicts])
    assert isinstance(written, bytes)
    (choice,) = json.loads(written)["choices"]
    return choice["message"] | {"finish_reason": choice["finish_reason"]}


@pytest.mark.parametrize(
    ("given", "want"),
    [
        ('{"a": 1}', {"a": 1}),
        ({"a": 1}, {"a": 1}),
        ("", {}),
        (None, {}),
        ('{"a": 1', None),
        ('{"a": 1, "a": 2}', None),
        ("[1]", None),
        ('{"a": "\ud800"}', None),
        ('{"a": NaN}', None),
        (7, None),
        (["{}"], None),
    ],
)
def test_arguments_are_read_strictly_or_not_at_all(given, want):
    assert arguments_of(given) == want


@pytest.mark.parametrize(
    "unreadable",
    [
        pytest.param({"type": "custom", "custom": {"name": "search"}}, id="another type"),
        pytest.param(call() | {"type": "Function"}, id="the type in capitals"),
        pytest.param({"type": "function"}, id="no function"),
        pytest.param({"type": "function", "function": "search"}, id="a function that is a text"),
        pytest.param(call(name=""), id="no name"),
        pytest.param("search", id="a text"),
        pytest.param(None, id="nothing"),
    ],
)
def test_what_is_no_call_of_a_function_has_no_name(unreadable):
    calls = ChoiceCalls.of({"tool_calls": [unreadable, call()]})
    assert calls is not None
    assert [asked.name for asked in calls.asked] == [None, "search"]


@pytest.mark.parametrize("members", [{}, {"tool_calls": None}, {"tool_calls": []}, {"content": "x"}])
def test_a_message_without_calls_has_nothing_to_decide(members):
    assert ChoiceCalls.of(members) is None


@pytest.mark.parametrize("calls", ["search", {"0": {}}, 7])
def test_calls_that_are_no_list_are_invalid(calls):
    with pytest.raises(CallsInvalid):
        ChoiceCalls.of({"tool_calls": calls})


def test_the_calls_that_are_left_are_numbered_anew():
    answer = held(call("a", index=0), call("b", index=1), call("c", index=2))
    left = left_of(answer, refused(0), allowed(1), allowed(2))
    assert [(each["index"], each["function"]["name"]) for each in left["tool_calls"]] == [(0, "b"), (1, "c")]
    assert left["finish_reason"] == "tool_calls"


def test_the_older_call_is_decided_behind_the_others():
    answer = held(call(), function_call={"name": "old", "arguments": "{}"})
    assert [asked.name for asked in answer.undecided[0]] == ["search", "old"]
    left = left_of(answer, allowed(0), refused(1))
    assert (len(left["tool_calls"]), "function_call" in left) == (1, False)


@pytest.mark.parametrize(
    ("content", "want"),
    [
        (None, "[tool call refused: call-not-permitted]"),
        ("well", "well\n[tool call refused: call-not-permitted]"),
        ([{"type": "text", "text": "well"}], [{"type": "text", "text": "well"}, {"type": "text", "text": "[tool call refused: call-not-permitted]"}]),
    ],
)  # fmt: skip
def test_a_replaced_call_is_told_in_the_text(content, want):
    left = left_of(held(call(), content=content), refused(0, "replace"))
    assert (left["content"], left["finish_reason"], "tool_calls" in left) == (want, "stop", False)


def test_one_call_that_cuts_ends_the_answer():
    ended = held(call(), call()).decided([[allowed(0), refused(1, "cut")]])
    assert isinstance(ended, RefusedCall)


@pytest.mark.parametrize("verdicts", [[], [[]], [[allowed(0)]], [[allowed(0), allowed(2)]]])
def test_a_call_without_a_verdict_does_not_leave(verdicts):
    with pytest.raises((LookupError, ValueError)):
        held(call(), call()).decided(verdicts)


def test_calls_elsewhere_are_taken_out():
    value = {
        "tool_calls": [1],
        "x": {"function_call": 1, "y": [{"tool_calls": [1], "z": 1}]},
        "choices": [
            {
                "tool_calls": [1],
                "message": {"tool_calls": [2], "more": {"tool_calls": [1]}},
                "delta": {"tool_calls": [1]},
            },
            {"message": [{"tool_calls": [1]}]},
        ],
    }
    assert without_calls_elsewhere(value) == {
        "x": {"y": [{"z": 1}]},
        "choices": [{"message": {"tool_calls": [2], "more": {}}, "delta": {}}, {"message": [{}]}],
    }
