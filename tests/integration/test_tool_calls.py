# SPDX-License-Identifier: Apache-2.0
"""Tool calls of an answer, plain and streamed, through our layer and all addons: only what policy allows leaves."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from policies.contracts.decision import Effect, EngineAnswer, Mode, Outcome, PolicyAnswer
from policies.contracts.snapshot import GuardPolicy
from policies.contracts.tools import OnRefusal, ToolRule, ToolsPolicy
from policies.engines.opa import OpaGuard
from proxy_addons.http1.bounds import Bounds
from tests.contract.guards import OpaProcess
from tests.integration.test_data_plane import Plane, event_stream, http, raw
from tests.layer_rig import answering, error_code, gateway, on_uvloop, status
from tests.unit.proxy_addons.harness import CARD, Harness, active_policy, chat, key_ring, snapshot

MARKER = "brown-marmot"
TOOLS = [{"type": "function", "function": {"name": name}} for name in ("search", "read_file", "send_mail")]


def rule(name: str, effect: Effect = Effect.ALLOW, **more: Any) -> ToolRule:
    return ToolRule(id=f"rule-{name.replace('_', '-')}", effect=effect, subjects=("user:alice",), tools=(name,), **more)


def tools(on_refusal: OnRefusal = OnRefusal.REMOVE, mode: Mode = Mode.ENFORCE) -> ToolsPolicy:
    rules = (rule("search"), rule("read_file", patterns={"path": "/srv/[a-z/]*"}))
    return ToolsPolicy(id="tools", version="1", mode=mode, on_refusal=on_refusal, rules=rules)


def call(name: str, index: int = 0, **arguments: Any) -> dict[str, Any]:
    function = {"name": name, "arguments": json.dumps(arguments)}
    return {"index": index, "id": f"call_{index}", "type": "function", "function": function}


def said_plain(choices: list[dict[str, Any]]) -> bytes:
    """An answer of these choices, each `{"calls": [...], "content": ..., "finish": ...}`."""
    told = [
        {
            "index": index,
            "message": {
                "role": "assistant",
                "content": each.get("content"),
                **({"tool_calls": each["calls"]} if "calls" in each else {}),
                **each.get("more", {}),
            },
            "finish_reason": each.get("finish", "tool_calls"),
        }
        for index, each in enumerate(choices)
    ]
    body = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "parrot", "choices": told}
    return http(json.dumps(body).encode())


def chunk(index: int, delta: dict[str, Any], finish: str | None = None) -> bytes:
    choice = {"index": index, "delta": delta, "finish_reason": finish}
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "parrot"}
    return b"data: " + json.dumps({**head, "choices": [choice]}).encode() + b"\n\n"


def said_streamed(choices: list[dict[str, Any]], *, length: int) -> bytes:
    """The same as events: interleaved, and the arguments in pieces of three characters."""
    rows: list[list[bytes]] = []
    for index, each in enumerate(choices):
        row = [chunk(index, {"role": "assistant", "content": each.get("content")}), chunk(index, each.get("more", {}))]
        for one in each.get("calls", ()):
            arguments = one["function"]["arguments"]
            row.append(chunk(index, {"tool_calls": [one | {"function": one["function"] | {"arguments": ""}}]}))
            row += [
                chunk(
                    index, {"tool_calls": [{"index": one["index"], "function": {"arguments": arguments[at : at + 3]}}]}
                )
                for at in range(0, len(arguments), 3)
            ]
        row.append(chunk(index, {}, each.get("finish", "tool_calls")))
        rows.append(row)
    longest = max(map(len, rows))
    events = [row[at] for at in range(longest) for row in rows if at < len(row)]
    return event_stream(b"".join(events) + b"data: [DONE]\n\n", length=length) + b"0\r\n\r\n"


def put_together(answer: bytes) -> dict[int, dict[str, Any]]:
    """What a client makes of a plain or streamed answer, by choice: names and arguments, text, and why it ended."""
    body = answer.partition(b"\r\n\r\n")[2]
    if b"text/event-stream" not in answer:
        return {
            choice["index"]: {
                "calls": [(each["function"]["name"], each["function"]["arguments"]) for each in choice["message"].get("tool_calls", ())],
                "function": choice["message"].get("function_call"),
                "content": choice["message"].get("content") or "",
                "finish": choice["finish_reason"],
            }
            for choice in json.loads(body)["choices"]
        }  # fmt: skip
    pieces = b"".join(re.findall(rb"(?:^|\r\n)[0-9a-f]+\r\n(.*?)(?=\r\n[0-9a-f]+\r\n)", body, flags=re.DOTALL))
    told: dict[int, dict[str, Any]] = {}
    for line in re.findall(rb"data: (\{.*\})", pieces):
        for choice in json.loads(line).get("choices", ()):
            so_far = told.setdefault(choice["index"], {"calls": [], "function": None, "content": "", "finish": None})
            so_far["content"] += choice["delta"].get("content") or ""
            so_far["finish"] = choice["finish_reason"] or so_far["finish"]
            so_far["function"] = choice["delta"].get("function_call") or so_far["function"]
            for each in choice["delta"].get("tool_calls", ()):
                assert each["index"] == len(so_far["calls"])
                so_far["calls"].append((each["function"]["name"], each["function"]["arguments"]))
    return told


@asynccontextmanager
async def plane(sent: bytes, *, guard: Any = None, redactions: Any = None, **changes: Any) -> AsyncIterator[Plane]:
    if redactions is not None:
        changes["redactions"] = redactions
    harness = Harness(policy=active_policy(guard=guard, **changes), keys=key_ring())
    bounds = Bounds(drain_s=1, head_s=0.3, first_byte_s=0.5, upstream_idle_s=0.3)
    async with gateway(harness.addons, answering(sent), bounds=bounds) as gate:
        yield Plane(gate, harness)


FORMS = [pytest.param(None, id="plain"), *(pytest.param(n, id=f"in pieces of {n}") for n in (1, 7, 100, 0))]


async def told(it: Plane, *, stream: bool, **more: Any) -> bytes:
    return await it.ask(raw(chat("hello", stream=stream, tools=TOOLS, **more)))


def sent_as(choices: list[dict[str, Any]], form: int | None) -> bytes:
    return said_plain(choices) if form is None else said_streamed(choices, length=form)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("redactions", [(), None], ids=["no redaction", "redaction"])
@on_uvloop
async def test_calls_that_policy_allows_leave_whole(form, redactions):
    choices = [{"calls": [call("search", q=f'a "b" {MARKER}'), call("read_file", 1, path="/srv/a")], "content": "well"}]
    async with plane(sent_as(choices, form), tools=(tools(),), redactions=redactions) as it:
        answer = await told(it, stream=form is not None)
        (left,) = put_together(answer).values()
        assert left["calls"] == [("search", json.dumps({"q": f'a "b" {MARKER}'})), ("read_file", '{"path": "/srv/a"}')]
        assert (left["content"], left["finish"]) == ("well", "tool_calls")
        record = it.only_record(answer)
        assert (record["verdict"], record["findings"], "tool_calls" in record) == ("forwarded", [], False)


@pytest.mark.parametrize("form", FORMS)
@on_uvloop
async def test_a_refused_call_is_removed_and_the_others_leave(form):
    calls = [
        call("send_mail", to=MARKER),
        call("search", 1, q="x"),
        call(MARKER, 2),
        call("read_file", 3, path=f"/{MARKER}"),
    ]
    async with plane(sent_as([{"calls": calls, "content": "well"}], form), tools=(tools(),)) as it:
        answer = await told(it, stream=form is not None)
        (left,) = put_together(answer).values()
        assert (left["calls"], left["content"], left["finish"]) == ([("search", '{"q": "x"}')], "well", "tool_calls")
        assert MARKER.encode() not in answer
        record = it.only_record(answer)
        assert record["verdict"] == "redacted"
        assert [(each["name"], each["code"], each["rule"], each["action"]) for each in record["tool_calls"]] == [
            ("send_mail", "call-not-permitted", "", "remove"),
            ("*", "call-not-offered", "", "remove"),
            ("read_file", "call-arguments-not-permitted", "rule-read-file", "remove"),
        ]
        assert [(each["detector"], each["count"]) for each in record["findings"]] == [
            ("tool-call", 2),
            ("tool-call", 1),
        ]
        assert MARKER not in json.dumps(record)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("on_refusal", "content", "want"),
    [
        pytest.param(OnRefusal.REMOVE, "well", "well", id="removed"),
        pytest.param(OnRefusal.REMOVE, None, "", id="removed, and nothing said"),
        pytest.param(OnRefusal.REPLACE, "well", "well\n[tool call refused: call-not-permitted]", id="replaced"),
        pytest.param(OnRefusal.REPLACE, None, "[tool call refused: call-not-permitted]", id="replaced, and nothing said"),
    ],
)  # fmt: skip
@on_uvloop
async def test_a_choice_without_a_call_left_ends_as_one_that_wanted_none(form, on_refusal, content, want):
    choices = [{"calls": [call("send_mail", to=MARKER)], "content": content}]
    async with plane(sent_as(choices, form), tools=(tools(on_refusal),)) as it:
        answer = await told(it, stream=form is not None)
        (left,) = put_together(answer).values()
        assert (left["calls"], left["content"], left["finish"]) == ([], want, "stop")
        assert MARKER.encode() not in answer
        assert it.only_record(answer)["verdict"] == "redacted"


@pytest.mark.parametrize("form", FORMS)
@on_uvloop
async def test_a_refused_call_may_end_the_answer(form):
    choices = [{"calls": [call("send_mail", to=MARKER)], "content": "well"}]
    async with plane(sent_as(choices, form), tools=(tools(OnRefusal.CUT),)) as it:
        answer = await told(it, stream=form is not None)
        assert b'"code":"call-not-permitted"' in answer
        assert (MARKER.encode() in answer, b"[DONE]" in answer) == (False, False)
        record = it.only_record(answer)
        assert record["verdict"] == ("blocked" if form is None else "cut")
        assert record["reasons"] == [{"code": "call-not-permitted", "policy": "tools", "rule": ""}]
        assert (record["outcome"], record["tool_calls"][0]["action"]) == ("deny", "cut")


@pytest.mark.parametrize("form", FORMS)
@on_uvloop
async def test_choices_are_decided_each_by_itself(form):
    choices = [
        {"calls": [call("send_mail", to=MARKER)], "content": "zero"},
        {"calls": [call("search", q="one")], "content": "one"},
        {"content": "two", "finish": "stop"},
        {"calls": [call("search", q="three"), call("send_mail", 1, to=MARKER)], "content": "three"},
    ]
    async with plane(sent_as(choices, form), tools=(tools(),)) as it:
        answer = await told(it, stream=form is not None, n=4)
        left = put_together(answer)
        assert {index: ([name for name, _ in each["calls"]], each["content"], each["finish"]) for index, each in left.items()} == {
            0: ([], "zero", "stop"),
            1: (["search"], "one", "tool_calls"),
            2: ([], "two", "stop"),
            3: (["search"], "three", "tool_calls"),
        }  # fmt: skip
        assert MARKER.encode() not in answer


HIDDEN = {"tool_calls": [call("send_mail", to=MARKER)]}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    "more",
    [
        pytest.param({"function_call": {"name": "send_mail", "arguments": MARKER}}, id="the older member"),
        pytest.param({"provider_specific_fields": HIDDEN}, id="within another member"),
        pytest.param({"tool_calls": [{"index": 0, "type": "custom", "custom": {"name": "search", "input": MARKER}}]}, id="a call of another type"),
        pytest.param({"tool_calls": [{"index": 0, "type": "function", "function": {"name": "search", "arguments": f'{{"q": "{MARKER}'}}]}, id="half of the arguments"),
        pytest.param({"tool_calls": [{"index": 0, "type": "function", "function": {"name": "search", "arguments": f'{{"q": 1, "q": "{MARKER}"}}'}}]}, id="an argument twice"),
        pytest.param({"tool_calls": [{"index": 0, "type": "function", "function": {"name": "search ", "arguments": json.dumps({"q": MARKER})}}]}, id="a name with a blank"),
        pytest.param({"tool_calls": [{"index": 0, "id": MARKER}]}, id="no function"),
    ],
)  # fmt: skip
@on_uvloop
async def test_a_call_that_is_hidden_or_broken_is_refused(form, more):
    async with plane(sent_as([{"content": "well", "more": more}], form), tools=(tools(),), redactions=()) as it:
        answer = await told(it, stream=form is not None)
        assert MARKER.encode() not in answer
        (left,) = put_together(answer).values()
        assert (left["calls"], left["function"], left["content"]) == ([], None, "well")


@pytest.mark.parametrize("form", FORMS)
@on_uvloop
async def test_what_is_decided_on_is_what_redaction_left(form):
    choices = [{"calls": [call("read_file", path=f"/srv/{CARD}"), call("search", 1, q=CARD)]}]
    async with plane(sent_as(choices, form), tools=(tools(),)) as it:
        answer = await told(it, stream=form is not None)
        (left,) = put_together(answer).values()
        assert left["calls"] == [("search", '{"q": "[redacted:payment-card]"}')]
        assert it.only_record(answer)["verdict"] == "redacted"


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("mode", [Mode.WARN, Mode.OBSERVE])
@on_uvloop
async def test_a_policy_that_only_looks_changes_nothing(form, mode):
    choices = [{"calls": [call("send_mail", to=MARKER)], "content": "well", "more": {"x": "y"}}]
    async with plane(sent_as(choices, form), tools=(tools(mode=mode),), redactions=()) as it:
        answer = await told(it, stream=form is not None)
        (left,) = put_together(answer).values()
        assert (left["calls"], left["finish"]) == ([("send_mail", json.dumps({"to": MARKER}))], "tool_calls")
        record = it.only_record(answer)
        assert record["verdict"] == "forwarded"
        assert record["tool_calls"] == [
            {"action": str(mode), "code": "call-not-permitted", "name": "send_mail", "policy": "tools", "rule": ""}
        ]


@on_uvloop
async def test_without_a_policy_for_them_calls_pass():
    for form in (None, 7):
        choices = [{"calls": [call("send_mail", to=MARKER)]}]
        async with plane(sent_as(choices, form)) as it:
            (left,) = put_together(await told(it, stream=form is not None)).values()
            assert left["calls"] == [("send_mail", json.dumps({"to": MARKER}))]


@on_uvloop
async def test_a_stream_that_ends_with_calls_and_no_reason_is_decided_too():
    events = chunk(0, {"tool_calls": [call("send_mail", to=MARKER), call("search", 1, q="x")]}) + b"data: [DONE]\n\n"
    async with plane(event_stream(events) + b"0\r\n\r\n", tools=(tools(),)) as it:
        answer = await told(it, stream=True)
        (left,) = put_together(answer).values()
        assert (left["calls"], MARKER.encode() in answer) == ([("search", '{"q": "x"}')], False)
        assert it.only_record(answer)["verdict"] == "redacted"


@on_uvloop
async def test_what_breaks_a_stream_behind_a_decision_comes_behind_it():
    events = chunk(0, {"tool_calls": [call("search", q="x")]}) + chunk(0, {}, "tool_calls") + b"data: {broken\n\n"
    async with plane(event_stream(events) + b"0\r\n\r\n", tools=(tools(),)) as it:
        answer = await told(it, stream=True)
        assert answer.index(b'"search"') < answer.index(b'"code":"upstream-invalid"')
        assert it.only_record(answer)["verdict"] == "cut"


# ── guards ──

READS = """package gatehouse.guard.request_caps

deny_call contains {"index": call.index, "reason": "tool-not-permitted"} if {
  some call in input.tool_calls
  call.name == "read_file"
  not within(call)
}

within(call) if startswith(call.arguments.path, "/srv/")
"""


def guards(on_refusal: OnRefusal = OnRefusal.REMOVE, module: str = READS) -> tuple[GuardPolicy, ...]:
    reasons = {"tool-not-permitted": "No such file for you."}
    return (
        GuardPolicy(
            id="request-caps", version="1", mode=Mode.ENFORCE, module=module, data={}, reasons=reasons, calls=on_refusal
        ),
    )


@pytest.fixture
def opa(opa_binary: Path, tmp_path: Path) -> Iterator[OpaProcess]:
    process = OpaProcess(binary=opa_binary, folder=tmp_path)
    yield process
    process.kill()


@asynccontextmanager
async def guarded(opa: OpaProcess, sent: bytes, **changes: Any) -> AsyncIterator[Plane]:
    """The plane with a real OPA behind it."""
    changes = {"guards": guards()} | changes
    compiled = snapshot(**changes)
    opa.write(compiled)
    opa.start()
    engine = OpaGuard(compiled, manifest_revision="7+sha256:00ff", address=str(opa.socket), deadline_s=2)
    try:
        async with plane(sent, guard=engine, **changes) as it:
            yield it
    finally:
        await engine.close()


READ_TWO = [
    {"calls": [call("read_file", path=f"/etc/{MARKER}"), call("read_file", 1, path="/srv/a")], "content": "well"}
]


@pytest.mark.opa
@pytest.mark.parametrize("form", [None, 7, 0])
@on_uvloop
async def test_a_guard_in_rego_decides_on_the_answer(opa, form):
    async with guarded(opa, sent_as(READ_TWO, form)) as it:
        answer = await told(it, stream=form is not None)
        (left,) = put_together(answer).values()
        assert (left["calls"], left["content"]) == ([("read_file", '{"path": "/srv/a"}')], "well")
        assert MARKER.encode() not in answer
        (refused,) = it.only_record(answer)["tool_calls"]
        assert (refused["policy"], refused["code"]) == ("request-caps", "tool-not-permitted")


@pytest.mark.opa
@pytest.mark.parametrize("form", [None, 7, 0])
@on_uvloop
async def test_a_guard_ends_an_answer_in_its_own_words(opa, form):
    async with guarded(opa, sent_as(READ_TWO, form), guards=guards(OnRefusal.CUT)) as it:
        answer = await told(it, stream=form is not None)
        assert b'"code":"tool-not-permitted"' in answer
        assert b"No such file for you." in answer
        assert MARKER.encode() not in answer
        if form is None:
            assert status(answer) == 403


@pytest.mark.opa
@pytest.mark.parametrize("form", [None, 7, 0])
@on_uvloop
async def test_where_the_guard_cannot_say_nothing_that_acts_leaves(opa, form):
    broken = 'package gatehouse.guard.request_caps\n\ndeny_call contains "x" if input.tool_calls\n'
    async with guarded(opa, sent_as(READ_TWO, form), guards=guards(module=broken)) as it:
        answer = await told(it, stream=form is not None)
        assert (b"read_file" in answer, b'"code":"evaluation-failed"' in answer) == (False, True)
        record = it.only_record(answer)
        assert record["outcome"] == "error_deny"
        assert record["verdict"] == ("blocked" if form is None else "cut")
        assert record["reasons"][0]["code"] == "evaluation-failed"


class SlowGuard:
    """Allows requests, and takes its time with calls: until `may_go`, or for ever."""

    def __init__(self) -> None:
        self.asked, self.may_go = asyncio.Event(), asyncio.Event()

    async def evaluate(self, _request: Any, _access: Any) -> EngineAnswer:
        answer = PolicyAnswer(policy="request-caps", mode=Mode.ENFORCE, outcome=Outcome.NOT_APPLICABLE)
        return EngineAnswer(engine="opa", answers=(answer,))

    async def judge(self, _request: Any, _access: Any, _calls: Any) -> tuple[Any, ...]:
        self.asked.set()
        await self.may_go.wait()
        return ()


@pytest.mark.parametrize("form", [None, 1, 0])
@on_uvloop
async def test_while_a_guard_thinks_others_are_served_and_nothing_of_the_calls_leaves(form):
    slow = SlowGuard()
    async with plane(sent_as(READ_TWO, form), guard=slow, guards=guards()) as it:
        waiting = asyncio.create_task(told(it, stream=form is not None))
        await asyncio.wait_for(slow.asked.wait(), 5)
        other = await it.ask(raw(b"", "GET /v1/models HTTP/1.1", ("Content-Length: 1",)))
        assert error_code(other) == "body-not-permitted"
        assert not waiting.done()
        slow.may_go.set()
        (left,) = put_together(await waiting).values()
        assert len(left["calls"]) == 2
