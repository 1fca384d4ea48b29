# SPDX-License-Identifier: Apache-2.0
import json
from typing import Any

from policies.contracts.decision import Reason
from policies.contracts.tools import RefusedCall
from policies.evaluation.tool_calls import CallVerdict
from proxy_addons.core.sse_decisions import DecisionQueue

CALLS = {"tool_calls": [{"index": 0, "type": "function", "function": {"name": "search", "arguments": "{}"}}]}


def queue_with(**told: Any) -> DecisionQueue:
    queue = DecisionQueue()
    terms = {"index": 0, "said": {"id": "x"}, "spoke": False, "closing": {"index": 0, "finish_reason": "tool_calls"}}
    assert queue.put([b"before", *queue.expected(CALLS, **(terms | told)), b"behind"]) == b"before"
    return queue


def verdict(action: str | None) -> list[list[CallVerdict]]:
    reason = Reason(code="call-not-permitted")
    refused = None if action is None else RefusedCall(name="search", reason=reason, action=action)
    return [[CallVerdict(index=0, refused=refused)]]


def events(written: bytes) -> list[dict[str, Any]]:
    return [json.loads(line.removeprefix(b"data: ")) for line in written.split(b"\n\n") if line.startswith(b"data: ")]


def test_what_stands_behind_a_decision_waits_for_it():
    queue = queue_with()
    assert (queue.waits, queue.put([b"more"]), len(queue.undecided)) == (True, b"", 1)
    left, told, cut = queue.decided(verdict(None))
    assert left.endswith(b"behindmore")
    assert (told, cut, queue.waits, queue.put([b"next"])) == ((), None, False, b"next")
    calls, end = events(left)
    assert calls["choices"][0]["delta"] == CALLS
    assert (calls["id"], end["choices"][0]["finish_reason"]) == ("x", "tool_calls")


def test_what_is_left_of_a_choice_that_replaces_its_call_is_a_text():
    left, told, cut = queue_with(spoke=True).decided(verdict("replace"))
    text, end = events(left)
    assert text["choices"][0]["delta"] == {"content": "\n[tool call refused: call-not-permitted]"}
    assert end["choices"][0]["finish_reason"] == "stop"
    assert (len(told), cut) == (1, None)


def test_a_choice_without_an_end_gets_none():
    left, _, _ = queue_with(closing=None).decided(verdict("remove"))
    assert left == b"behind"


def test_nothing_behind_a_call_that_cuts_leaves():
    left, told, cut = queue_with().decided(verdict("cut"))
    assert (left, told) == (b"", (cut,))
    assert cut is not None


def test_members_without_calls_wait_for_nobody():
    queue = DecisionQueue()
    assert (queue.expected({"tool_calls": []}), queue.waits, queue.put([b"a", b"b"])) == ([], False, b"ab")
