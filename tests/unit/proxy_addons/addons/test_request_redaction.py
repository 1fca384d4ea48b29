# SPDX-License-Identifier: Apache-2.0
"""Redaction of requests through all addons: what reached the upstream, what was told, what was recorded."""

import base64
import gc
import json
from dataclasses import replace
from typing import Any

import pytest

from policies.contracts.decision import Mode
from policies.contracts.snapshot import (
    Decoding,
    Dialect,
    Direction,
    EmbeddingInputs,
    LogProbabilities,
    OverBudget,
    RedactionAction,
    RedactionPolicy,
    RedactionRule,
    Route,
)
from policies.redaction.pseudonyms import Pseudonyms
from policies.scanning import budget
from tests.streams import CARD, EMAIL
from tests.unit.proxy_addons.harness import (
    Harness,
    Upstream,
    active_policy,
    chat,
    key_ring,
    plain_answer,
    ready_harness,
    snapshot,
    streamed_answer,
)

REQUEST = (Direction.REQUEST,)
BOTH = (Direction.REQUEST, Direction.ANSWER)
ROUTE = Route(
    id="embeddings",
    policy="openai-routes",
    method="POST",
    path="/v1/embeddings",
    operation="completions",
    dialect=Dialect.EMBEDDINGS,
)
VECTOR = {
    "object": "list",
    "model": "parrot",
    "data": [{"object": "embedding", "index": 0, "embedding": [0.5]}],
    "usage": {},
}


def harness(
    action: RedactionAction = RedactionAction.REPLACE,
    *,
    directions: tuple[Direction, ...] = REQUEST,
    mode: Mode = Mode.ENFORCE,
    **options: Any,
) -> Harness:
    rule = RedactionRule(id="mail", detectors=("email", "payment-card"), action=action, directions=directions)
    policy = RedactionPolicy(id="prompts", version="1", mode=mode, operations=(), models=(), rules=(rule,), **options)
    routes = (*snapshot().routes, ROUTE)
    return Harness(policy=active_policy(redactions=(policy,), routes=routes), keys=key_ring())


def asking(text: str, **more: Any) -> dict[str, Any]:
    return chat(**more) | {"messages": [{"role": "user", "content": text}]}


async def test_the_model_is_sent_what_rules_leave_and_the_record_says_so():
    sender = harness()
    told = await sender.send(asking(f"write to {EMAIL}"))
    [sent] = told.sent_upstream
    assert EMAIL.encode() not in sent
    assert json.loads(sent)["messages"][0]["content"] == "write to [redacted:email]"
    [record] = sender.sink.envelopes
    assert (told.status, record["verdict"], record["outcome"]) == (200, "redacted", "allow")
    assert record["findings"] == [
        {"action": "replace", "count": 1, "detector": "email", "policy": "prompts", "rule": "mail"}
    ]
    assert "request.messages.*.content" in record["coverage"]["scanned"]
    assert record["coverage"]["by"] == [
        {"rules": ["prompts/mail"], "paths": ["request.messages.*.content"]},
    ]
    assert {"path": "request.model", "reason": "decided-on"} in record["coverage"]["not_scanned"]


@pytest.mark.parametrize("action", [RedactionAction.BLOCK, RedactionAction.CUT])
async def test_a_blocked_request_reaches_nobody_and_is_told_the_rule_and_not_the_text(action):
    sender = harness(action)
    told = await sender.send(asking(f"write to {EMAIL}"))
    assert (told.status, told.code, told.sent_upstream) == (403, "request-blocked", [])
    assert "Rule: mail." in told.message
    assert EMAIL not in told.message
    [record] = sender.sink.envelopes
    assert (record["outcome"], record["verdict"]) == ("deny", "blocked")
    assert record["reasons"] == [{"code": "request-blocked", "policy": "prompts", "rule": "mail"}]
    assert [found["count"] for found in record["findings"]] == [1]
    assert record["obligations"] == [{"policy": "prompts", "status": "done", "type": "redact"}]


@pytest.mark.parametrize("mode", [Mode.WARN, Mode.OBSERVE])
async def test_a_policy_that_looks_only_counts(mode):
    sender = harness(mode=mode)
    told = await sender.send(asking(EMAIL))
    assert EMAIL.encode() in told.sent_upstream[0]
    [record] = sender.sink.envelopes
    assert record["verdict"] == "forwarded"
    assert [(found["action"], found["count"]) for found in record["findings"]] == [(mode.value, 1)]


async def test_rules_for_answers_leave_requests_alone_and_the_record_says_so():
    sender = harness(directions=(Direction.ANSWER,))
    told = await sender.send(asking(EMAIL))
    assert EMAIL.encode() in told.sent_upstream[0]
    assert {"path": "request", "reason": "no-rule"} in sender.sink.envelopes[0]["coverage"]["not_scanned"]


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "streamed"])
async def test_request_and_answer_count_into_one_record(stream):
    sender = harness(directions=BOTH)
    answer = (streamed_answer if stream else plain_answer)(f"card {CARD} end")
    told = await sender.send(asking(EMAIL, stream=stream), upstream=answer)
    assert CARD.encode() not in told.body
    record = sender.sink.envelopes[-1]
    assert [(found["detector"], found["count"]) for found in record["findings"]] == [("email", 1), ("payment-card", 1)]


async def test_guards_see_the_facts_of_the_request_as_it_came():
    sender = harness()
    told = await sender.send(asking(EMAIL))
    assert told.exchange.evaluation is not None
    assert told.exchange.evaluation.facts.text_chars == len(EMAIL)


async def test_a_refused_request_is_refused_before_it_is_redacted():
    sender = harness()
    told = await sender.send(asking(EMAIL, model="parrot-unknown"))
    assert (told.status, told.code) == (403, "no-applicable-policy")
    assert sender.sink.envelopes[0]["findings"] == []


def embed(text: str) -> dict[str, Any]:
    return {"model": "parrot", "input": text}


def vectors() -> Upstream:
    return Upstream(pieces=[json.dumps(VECTOR).encode()])


async def test_an_input_to_embed_that_would_change_is_refused():
    told = await harness().send(embed(EMAIL), target=b"/v1/embeddings", upstream=vectors())
    assert (told.status, told.code, told.sent_upstream) == (403, "request-blocked", [])


async def test_an_input_that_policy_changes_is_told_in_a_header():
    sender = harness(embeddings=EmbeddingInputs.REDACT)
    told = await sender.send(embed(EMAIL), target=b"/v1/embeddings", upstream=vectors())
    assert EMAIL.encode() not in told.sent_upstream[0]
    assert told.flow.response.headers["Gatehouse-Redacted"] == "1"
    told = await sender.send(embed("clean"), target=b"/v1/embeddings", upstream=vectors())
    assert "Gatehouse-Redacted" not in told.flow.response.headers


async def test_an_input_that_policy_allows_goes_as_it_came_and_is_noted():
    sender = harness(embeddings=EmbeddingInputs.ALLOW)
    told = await sender.send(embed(EMAIL), target=b"/v1/embeddings", upstream=vectors())
    assert EMAIL.encode() in told.sent_upstream[0]
    [record] = sender.sink.envelopes
    assert [(found["action"], found["count"]) for found in record["findings"]] == [("annotate", 1)]
    assert record["verdict"] == "forwarded"


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(
            b'{"messages":[{"role":"user","content":"a\\u006cice@ex\\u0061mple.com"}],"model":"parrot"}', id="escaped"
        ),
        pytest.param(
            b' {"model" : "parrot", "messages":[{"content":"alice@example.com","role":"user"}]}\n', id="spaced"
        ),
    ],
)
async def test_however_the_body_is_spelled_the_model_is_sent_the_same(body):
    told = await harness().send(body)
    assert json.loads(told.sent_upstream[0])["messages"][0]["content"] == "[redacted:email]"


async def test_without_rules_for_requests_nothing_is_kept_of_them():
    told = await ready_harness().send(asking(EMAIL))
    assert told.exchange.restoring is None


@pytest.mark.parametrize("status", [400, 404, 422, 500, 503])
async def test_an_error_of_the_upstream_tells_none_of_the_prompt(status):
    error = {"error": {"message": f"cannot serve prompt: {EMAIL}", "code": EMAIL}}
    answer = Upstream(status=status, pieces=[json.dumps(error).encode()])
    told = await ready_harness().send(asking(EMAIL), upstream=answer)
    assert EMAIL.encode() not in told.body
    assert told.code in {"upstream-refused", "upstream-error"}


def reversible(**options: Any) -> Harness:
    rules = (
        RedactionRule(
            id="mail", detectors=("email",), action=RedactionAction.REPLACE, directions=REQUEST, reversible=True
        ),
        RedactionRule(id="card", detectors=("payment-card",), action=RedactionAction.REPLACE, directions=BOTH),
    )
    policy = RedactionPolicy(
        id="prompts", version="1", mode=Mode.ENFORCE, operations=(), models=(), rules=rules, **options
    )
    return Harness(policy=active_policy(redactions=(policy,)), keys=key_ring())


def prompt_of(sent: bytes) -> str:
    return str(json.loads(sent)["messages"][-1]["content"])


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "streamed"])
async def test_the_model_works_with_pseudonyms_and_the_client_gets_its_values_back(stream):
    sender = reversible()
    answer = streamed_answer if stream else plain_answer
    told = await sender.send(
        asking(f"write to {EMAIL}, {CARD}", stream=stream),
        upstream=lambda sent: answer(f"I wrote: {prompt_of(sent)}; [EMAIL-2]"),
    )
    assert prompt_of(told.sent_upstream[0]) == "write to [EMAIL-1], [redacted:payment-card]"
    assert EMAIL.encode() in told.body
    assert b"[EMAIL-2]" in told.body
    assert CARD.encode() not in told.body
    recorded = b"".join(record.envelope + record.payload for record in sender.sink.records)
    assert EMAIL.encode() not in recorded


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "streamed"])
async def test_what_a_model_says_of_its_own_does_not_come_back_though_the_rule_is_reversible(stream):
    rule = RedactionRule(
        id="mail", detectors=("email",), action=RedactionAction.REPLACE, directions=BOTH, reversible=True
    )
    policy = RedactionPolicy(id="p", version="1", mode=Mode.ENFORCE, operations=(), models=(), rules=(rule,))
    sender = Harness(policy=active_policy(redactions=(policy,)), keys=key_ring())
    answer = streamed_answer if stream else plain_answer
    told = await sender.send(
        asking(f"to {EMAIL}", stream=stream), upstream=answer("[EMAIL-1], carol@example.org, [EMAIL-2]")
    )
    assert EMAIL.encode() in told.body
    assert b"carol" not in told.body


async def test_the_values_of_one_exchange_are_not_for_another():
    sender = reversible()
    await sender.send(asking(EMAIL))
    told = await sender.send(asking("who was it?"), upstream=plain_answer("[EMAIL-1]"))
    assert b"[EMAIL-1]" in told.body
    assert EMAIL.encode() not in told.body


@pytest.mark.parametrize("leaves", [None, "answer", "stream"])
@pytest.mark.parametrize("answer", [plain_answer("to [EMAIL-1]"), streamed_answer("to [EMAIL-1]")])
async def test_nobody_knows_the_values_of_an_exchange_that_is_over(answer: Upstream, leaves: str | None):
    sender = reversible()
    told = await sender.send(
        asking(EMAIL, stream=answer.headers[0][1] != b"application/json"), upstream=answer, leaves=leaves
    )
    exchange = told.exchange
    assert exchange.findings
    assert exchange.restoring is None
    assert exchange.tally is not None
    assert exchange.tally.pseudonyms is None
    held = [each for each in gc.get_objects() if isinstance(each, Pseudonyms) and len(each)]
    assert not [each for each in held if EMAIL in each._values.values()]  # nobody else may ask


@pytest.mark.parametrize("breaks", [None, "upstream-timeout", "upstream-invalid"])
@pytest.mark.parametrize("pieces", [2, 3, 4])  # it stops after the text, after the finish reason, after [DONE]
async def test_what_was_held_when_an_answer_ended_is_examined_or_dropped(pieces: int, breaks: str | None):
    sender = harness(directions=BOTH)
    answer = streamed_answer(f"write to {EMAIL}")
    ended = replace(answer, pieces=answer.pieces[:pieces], breaks=breaks)
    told = await sender.send(asking("who?", stream=True), upstream=ended)
    assert b"write to " in told.body
    assert b"alice" not in told.body
    assert (b"[redacted:email]" in told.body) is (pieces > 2)
    assert told.body.endswith(b"[DONE]\n\n") is (pieces == 4 and breaks is None)


async def test_nothing_held_leaves_to_a_client_that_left():
    sender = harness(directions=BOTH)
    told = await sender.send(asking("who?", stream=True), upstream=streamed_answer(f"to {EMAIL}"), leaves="stream")
    assert b"alice" not in told.body
    assert sender.sink.envelopes[-1]["verdict"] == "cut"


async def test_each_finding_of_request_and_answer_leaves_a_remark():
    sender = reversible()
    await sender.send(asking(f"{EMAIL} {EMAIL}"), upstream=plain_answer(f"card {CARD}"))
    [record] = sender.sink.envelopes
    remarks = record["remarks"]
    assert [(said["rule"], said["path"], said["length"]) for said in remarks] == [
        ("mail", "request.messages.*.content", len(EMAIL)),
        ("mail", "request.messages.*.content", len(EMAIL)),
        ("card", "choices.*.message.content", len(CARD)),
    ]
    assert remarks[0]["span_hash"] == remarks[1]["span_hash"] != remarks[2]["span_hash"]
    assert record["remarks_omitted"] == 0


@pytest.mark.parametrize(
    ("wanted", "mode", "want"),
    [
        (LogProbabilities.REFUSE, Mode.ENFORCE, (400, "field-not-permitted")),
        (LogProbabilities.DROP, Mode.ENFORCE, (200, None)),
        (LogProbabilities.REFUSE, Mode.OBSERVE, (200, None)),
    ],
)
async def test_log_probabilities_are_refused_where_policy_says_so_and_may_change_the_answer(wanted, mode, want):
    sender = harness(directions=BOTH, mode=mode, log_probabilities=wanted)
    told = await sender.send(asking("hi", logprobs=True))
    assert (told.status, told.code) == want
    assert want[0] == 200 or "logprobs" in told.message
    assert (await sender.send(asking("hi"))).status == 200


async def test_a_long_request_and_its_long_answer_are_redacted_as_short_ones_are():
    long = f"nothing to see here, {EMAIL} " * 300
    sender = harness(directions=BOTH)
    told = await sender.send(asking(long), upstream=plain_answer(long))
    [sent] = told.sent_upstream
    assert EMAIL.encode() not in sent + told.body
    assert b"nothing to see here" in sent
    assert b"nothing to see here" in told.body
    [record] = sender.sink.envelopes
    assert (told.status, record["verdict"], record["outcome"]) == (200, "redacted", "allow")


@pytest.mark.parametrize("over", [OverBudget.BLOCK, OverBudget.CUT])
async def test_what_policy_lets_nobody_decode_is_not_sent_to_the_model(over: OverBudget):
    sender = harness(decoding=Decoding(max_bytes=16, over_budget=over))
    told = await sender.send(asking(base64.b64encode(b"some harmless text" * 30).decode()))
    assert (told.status, told.sent_upstream) == (403, [])
    [record] = sender.sink.envelopes
    assert record["reasons"][0] == {"code": "request-blocked", "policy": "prompts", "rule": "decoding.max_bytes"}


async def test_where_policy_says_annotate_the_record_says_what_was_not_scanned():
    sender = harness(decoding=Decoding(max_bytes=16, over_budget=OverBudget.ANNOTATE))
    told = await sender.send(asking(f"{EMAIL} " + base64.b64encode(b"some harmless text" * 30).decode()))
    [sent] = told.sent_upstream
    assert EMAIL.encode() not in sent
    [record] = sender.sink.envelopes
    assert {"path": "request.messages.*.content", "reason": "over-budget"} in record["coverage"]["not_scanned"]


async def test_many_short_texts_cost_no_more_than_a_long_one_may(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(budget, "MAX_CANDIDATES", 100)
    sender = harness()
    asked = chat() | {"messages": [{"role": "user", "content": f"user{i}@example.com"} for i in range(300)]}
    told = await sender.send(asked)
    assert (told.status, told.sent_upstream) == (403, [])
    [record] = sender.sink.envelopes
    assert record["reasons"][0] == {"code": "request-blocked", "policy": "prompts", "rule": "scan.candidates"}
