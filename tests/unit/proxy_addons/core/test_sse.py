# SPDX-License-Identifier: Apache-2.0
"""What an examined stream does at its edges; that cuts do not matter is shown in tests/property."""

import gzip
import json
from typing import Any

import pytest

from policies.contracts.decision import Mode
from policies.contracts.snapshot import Dialect, RedactionAction, RedactionPolicy, RedactionRule
from policies.redaction.engine import Redaction
from policies.redaction.rules import ActiveRules
from proxy_addons.core.sse import SseEnforcer
from proxy_addons.core.sse_calls import MAX_HELD_CHARS as MAX_ARGUMENTS_CHARS

CARD = "4111 1111 1111 1111"
MAX_EVENT_BYTES = 200_000


def rules(mode: Mode = Mode.ENFORCE, action: RedactionAction = RedactionAction.REPLACE) -> ActiveRules:
    rule = RedactionRule(id="rule", detectors=("email", "payment-card"), action=action)
    policy = RedactionPolicy(id="policy", version="1", mode=mode, operations=(), models=(), rules=(rule,))
    return Redaction.of([policy]).rules_for(["policy"])


def stream(active: ActiveRules | None = None, dialect: Dialect = Dialect.CHAT) -> SseEnforcer:
    return SseEnforcer(
        dialect=dialect,
        rules=rules() if active is None else active,
        request_id="req_1",
        max_event_bytes=MAX_EVENT_BYTES,
    )


def wire(value: Any) -> bytes:
    return b"data: " + (value if isinstance(value, bytes) else json.dumps(value).encode()) + b"\n\n"


def chunk(delta: Any, *, finish: str | None = None, **more: Any) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish, **more}
    return wire({"id": "chatcmpl-1", "model": "m", "choices": [choice]})


def events(output: bytes) -> list[Any]:
    lines = [block.removeprefix(b"data: ") for block in output.split(b"\n\n")[:-1]]
    return [line.decode() if line == b"[DONE]" else json.loads(line) for line in lines]


def content(output: bytes, index: int = 0) -> str:
    return "".join(
        choice["delta"].get("content") or ""
        for event in events(output)
        if isinstance(event, dict)
        for choice in event.get("choices", [])
        if choice["index"] == index
    )


DONE = wire(b"[DONE]")


def test_held_text_leaves_in_an_event_of_its_own_before_the_finish_reason():
    enforcer = stream()
    output = enforcer.feed(chunk({"content": "the year 2024"}) + chunk({}, finish="stop") + DONE) + enforcer.finish()
    deltas = [(event["choices"][0]["delta"], event["choices"][0]["finish_reason"]) for event in events(output)[:-1]]
    assert deltas == [({"content": "the year "}, None), ({"content": "2024"}, None), ({}, "stop")]
    assert events(output)[-1] == "[DONE]"


def test_an_event_whose_text_is_wholly_held_is_not_sent():
    assert stream().feed(chunk({"content": "4111"})) == b""


def test_the_role_passes_at_once():
    assert events(stream().feed(chunk({"role": "assistant", "content": ""})))[0]["choices"][0]["delta"]["role"]


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        pytest.param(b"data: {\n\n", "upstream-invalid", id="broken-json"),
        pytest.param(b"data: []\n\n", "upstream-invalid", id="not-an-object"),
        pytest.param(b'data: {"a":1,"a":2,"choices":[]}\n\n', "upstream-invalid", id="duplicate-key"),
        pytest.param(b'data: {"choices":[],"x":"\xff"}\n\n', "upstream-invalid", id="not-utf-8"),
        pytest.param(b'data: {"choices":[],"x":"\\ud800"}\n\n', "upstream-invalid", id="lone-surrogate"),
        pytest.param(b"data: " + b"x" * (MAX_EVENT_BYTES + 1), "upstream-invalid", id="oversize-without-an-end"),
        pytest.param(b": " + b"x" * (MAX_EVENT_BYTES + 1), "upstream-invalid", id="oversize-comment"),
        pytest.param(wire({"choices": [{"index": True, "delta": {}}]}), "upstream-invalid", id="index-not-a-number"),
        pytest.param(wire({"choices": "text"}), "upstream-invalid", id="choices-not-a-list"),
        pytest.param(wire({"error": {"message": "at 10.0.0.7: secret"}}), "upstream-error", id="error-event"),
        pytest.param(
            chunk({"tool_calls": [{"index": 0, "function": {"arguments": "x" * (MAX_ARGUMENTS_CHARS + 1)}}]}),
            "upstream-invalid",
            id="arguments-too-long",
        ),
    ],
)
def test_what_cannot_be_examined_ends_the_stream(wrong: bytes, code: str):
    enforcer = stream()
    first = enforcer.feed(chunk({"content": "Hello there. 4111"}))
    output = enforcer.feed(wrong)
    assert content(first) == "Hello there. "
    error = events(output)[-1]["error"]
    assert (code, "req_1") == (error["code"], error["request_id"])
    assert content(output) == ""
    assert b"10.0.0.7" not in output
    assert enforcer.cut is not None
    assert enforcer.cut.code == code
    assert enforcer.feed(chunk({"content": "more"})) == b""
    assert enforcer.finish() == b""


def test_a_card_cut_in_two_by_the_finish_reason_does_not_leave():
    """A client appends what comes after the finish reason, and what was held has left by then."""
    enforcer = stream()
    output = enforcer.feed(chunk({"content": CARD[:10]}, finish="stop") + chunk({"content": CARD[10:]}))
    assert content(output) == CARD[:10]
    assert events(output)[-1]["error"]["code"] == "upstream-invalid"


def test_a_card_spelt_by_repeating_an_id_does_not_leave():
    """Clients append what a delta says twice."""
    enforcer = stream()
    output = enforcer.feed(chunk({"id": "40000002"}) * 2 + DONE) + enforcer.finish()
    ids = [event["choices"][0]["delta"].get("id", "") for event in events(output) if "choices" in event]
    assert "4000000240000002" not in "".join(ids)


def test_a_stream_without_done_gives_what_was_held_and_an_error():
    enforcer = stream()
    enforcer.feed(chunk({"content": "2024"}))
    output = enforcer.finish()
    assert content(output) == "2024"
    assert events(output)[-1]["error"]["code"] == "upstream-invalid"
    assert b"[DONE]" not in output


def test_abort_drops_what_was_held():
    enforcer = stream()
    enforcer.feed(chunk({"content": "2024"}))
    assert [{"evaluation-failed"}] == [
        {event["error"]["code"]} for event in events(enforcer.abort("evaluation-failed"))
    ]
    assert enforcer.finish() == b""


def test_a_block_names_policy_and_rule():
    enforcer = stream(rules(action=RedactionAction.BLOCK))
    output = enforcer.feed(chunk({"content": f"card {CARD}. "}))
    assert events(output)[-1]["error"]["code"] == "answer-blocked"
    assert enforcer.cut is not None
    assert (enforcer.cut.policy, enforcer.cut.rule) == ("policy", "rule")


def test_observing_rules_count_and_hold_nothing():
    enforcer = stream(rules(Mode.OBSERVE))
    assert content(enforcer.feed(chunk({"content": CARD}))) == CARD
    enforcer.feed(chunk({}, finish="stop") + DONE)
    enforcer.finish()
    assert [(one.detector, one.action, one.count) for one in enforcer.findings] == [("payment-card", "observe", 1)]


def test_log_probabilities_are_dropped_where_a_rule_may_redact():
    output = stream().feed(chunk({"content": "a "}, logprobs={"content": [{"token": "4111"}]}))
    assert events(output)[0]["choices"][0]["logprobs"] is None


def test_event_names_ids_and_raw_lines_never_pass():
    output = stream().feed(b"event: x\nid: 7\nretry: 1\n" + chunk({"content": "a\n\ndata: [DONE]\n\n"}))
    assert output.count(b"\n\n") == 1
    assert output.startswith(b'data: {"')


@pytest.mark.corpus
def test_recorded_streams_pass_with_their_text_unchanged(corpora):
    with gzip.open(corpora / "openai" / "http_interactions.jsonl.gz", "rt") as rows:
        recorded = [row for row in map(json.loads, rows) if row["sse"] and row["path"].endswith("/chat/completions")]
    assert recorded
    for row in recorded:
        body = row["response_body"].encode()
        enforcer = stream()
        output = b"".join(enforcer.feed(body[at : at + 100]) for at in range(0, len(body), 100)) + enforcer.finish()
        assert enforcer.cut is None
        for index in range(4):
            assert content(output, index) == content(body, index)
        assert arguments(output) == arguments(body)


@pytest.mark.corpus
def test_recorded_streams_are_redacted_where_a_secret_is_planted(corpora):
    with gzip.open(corpora / "openai" / "http_interactions.jsonl.gz", "rt") as rows:
        recorded = [row for row in map(json.loads, rows) if row["sse"] and row["path"].endswith("/chat/completions")]
    planted = 0
    for row in recorded:
        body = row["response_body"].encode()
        before, mark, after = body.partition(b'"delta":{"content":"')
        if mark:
            planted += 1
            enforcer = stream()
            output = enforcer.feed(before + mark + f"({CARD}) ".encode() + after) + enforcer.finish()
            assert CARD not in content(output)
            assert "[redacted:payment-card]" in content(output)
    assert planted


def arguments(output: bytes) -> dict[tuple[int, int], str]:
    put: dict[tuple[int, int], str] = {}
    for event in events(output):
        for choice in event.get("choices", []) if isinstance(event, dict) else []:
            for call in choice["delta"].get("tool_calls") or []:
                key = (choice["index"], call["index"])
                put[key] = put.get(key, "") + call.get("function", {}).get("arguments", "")
    return put
