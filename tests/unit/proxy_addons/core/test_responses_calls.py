# SPDX-License-Identifier: Apache-2.0
"""Function calls of a responses answer, decided one by one: through the addons with a real policy, plain and streamed."""

import json
from typing import Any

import pytest

from policies.contracts.decision import Effect, Mode
from policies.contracts.snapshot import Dialect
from policies.contracts.tools import OnRefusal, ToolRule, ToolsPolicy
from proxy_addons.core.responses_calls import CallEvents, call_in
from tests.responses import answered, called, events, response, spoken, wire
from tests.unit.proxy_addons.harness import Told, Upstream, ready_harness, route

MARKER = "brown-marmot"
TOOLS = [{"type": "function", "name": name, "parameters": {}} for name in ("search", "pay")]
ASKED = {"model": "parrot", "input": "hello", "tools": TOOLS}
JSON_HEAD = [(b"Content-Type", b"application/json")]
STREAM_HEAD = [(b"Content-Type", b"text/event-stream")]


def policy(on_refusal: OnRefusal = OnRefusal.REMOVE, mode: Mode = Mode.ENFORCE) -> ToolsPolicy:
    rule = ToolRule(id="search", effect=Effect.ALLOW, subjects=("*",), tools=("search",), patterns={"q": "[a-z]+"})
    return ToolsPolicy(id="tools", version="1", mode=mode, on_refusal=on_refusal, rules=(rule,))


def items(*calls: tuple[str, str]) -> list[list[dict[str, Any]]]:
    said = spoken("output_text", ["Hello ", "there."])
    return [said, *(called(text, index=at, name=name) for at, (name, text) in enumerate(calls, 1))]


async def told(tools: ToolsPolicy, *calls: tuple[str, str], length: int | None, redactions: Any = ()) -> Told:
    harness = ready_harness(routes=(route(Dialect.RESPONSES),), tools=(tools,), redactions=redactions)
    spoken_items = items(*calls)
    if length is None:
        body = json.dumps(response(*(item[-1]["item"] for item in spoken_items))).encode()
        upstream = Upstream(headers=JSON_HEAD, pieces=[body])
    else:
        body = wire(*answered(*spoken_items))
        step = length or len(body)
        upstream = Upstream(headers=STREAM_HEAD, pieces=[body[at : at + step] for at in range(0, len(body), step)])
    asked = ASKED | ({} if length is None else {"stream": True})
    return await harness.send(asked, target=b"/v1/responses", upstream=upstream)


def output_of(got: Told, *, streamed: bool) -> list[dict[str, Any]]:
    """Return the items that a client has in the end; of a stream, those told one by one must be the same."""
    if not streamed:
        output: list[dict[str, Any]] = json.loads(got.body)["output"]
        return output
    seen = events(got.body)
    assert [each["sequence_number"] for each in seen] == list(range(len(seen)))
    one_by_one = [each["item"] for each in seen if each["type"] == "response.output_item.done"]
    assert seen[-1]["response"]["output"] == one_by_one
    return one_by_one


FORMS = [pytest.param(None, id="plain"), *(pytest.param(n, id=f"in pieces of {n}") for n in (1, 50, 0))]
GOOD, BAD = ("search", '{"q": "x"}'), ("pay", json.dumps({"to": MARKER}))


@pytest.mark.parametrize("length", FORMS)
@pytest.mark.parametrize(
    "bad",
    [
        pytest.param(BAD, id="not permitted"),
        pytest.param((MARKER, "{}"), id="not offered"),
        pytest.param(("search", json.dumps({"q": MARKER.upper()})), id="other arguments"),
        pytest.param(("search", f'{{"q": "{MARKER}'), id="broken arguments"),
    ],
)
async def test_a_refused_call_does_not_leave_and_the_others_do(length, bad):
    got = await told(policy(), GOOD, bad, GOOD, length=length)
    left = output_of(got, streamed=length is not None)
    assert [item["type"] for item in left] == ["message", "function_call", "function_call"]
    assert {item["name"] for item in left[1:]} == {"search"}
    assert MARKER.encode() not in got.body.lower()
    assert [call.action for call in got.exchange.refused_calls] == ["remove"]
    assert got.exchange.verdict == "redacted"


@pytest.mark.parametrize("length", FORMS)
async def test_a_message_leaves_in_place_of_a_call(length):
    got = await told(policy(OnRefusal.REPLACE), BAD, length=length)
    message = output_of(got, streamed=length is not None)[1]
    assert (message["type"], message["content"][0]["text"]) == ("message", "[tool call refused: call-not-permitted]")
    assert MARKER.encode() not in got.body


@pytest.mark.parametrize("length", FORMS)
async def test_a_refused_call_may_end_the_answer(length):
    got = await told(policy(OnRefusal.CUT), GOOD, BAD, length=length)
    assert (MARKER.encode() in got.body, b"call-not-permitted" in got.body) == (False, True)
    assert b"response.completed" not in got.body
    assert got.exchange.verdict == ("blocked" if length is None else "cut")


@pytest.mark.parametrize("length", FORMS)
async def test_calls_that_policy_allows_leave_as_they_came(length):
    got = await told(policy(), GOOD, GOOD, length=length)
    left = output_of(got, streamed=length is not None)
    assert [item["arguments"] for item in left[1:]] == ['{"q": "x"}'] * 2
    assert got.exchange.verdict == "forwarded"


@pytest.mark.parametrize("length", FORMS)
async def test_a_policy_that_only_looks_changes_nothing(length):
    got = await told(policy(mode=Mode.OBSERVE), BAD, GOOD, length=length)
    assert MARKER.encode() in got.body
    assert [item["type"] for item in output_of(got, streamed=length is not None)] == [
        "message",
        "function_call",
        "function_call",
    ]
    assert [call.action for call in got.exchange.refused_calls] == ["observe"]


@pytest.mark.parametrize("item", [None, 7, {}, {"type": "message"}, {"type": "web_search_call"}])
def test_what_is_no_function_call_is_no_question(item):
    assert call_in(item) is None


def test_a_call_without_a_name_has_none():
    asked = call_in({"type": "function_call", "name": "", "arguments": "{}"})
    assert asked is not None
    assert (asked.name, asked.arguments) == (None, {})


def test_where_nothing_is_refused_only_the_end_of_a_call_waits():
    calls = CallEvents(strict=False)
    item = {"type": "function_call", "name": "search", "arguments": "{}"}
    begins, ends = (
        {"type": f"response.output_item.{how}", "output_index": 0, "item": item} for how in ("added", "done")
    )
    other = {"type": "response.output_item.done", "output_index": 1, "item": {"type": "message"}}
    assert [calls.put(each) for each in (begins, other, ends, other)] == [[begins], [other], [], []]
    assert (len(calls.undecided), len(calls.taken()), calls.put(other)) == (1, 2, [other])
