# SPDX-License-Identifier: Apache-2.0
"""Whole exchanges through the addons in their order: what reached the upstream, what was told, what was recorded."""

import json

import pytest

from policies.contracts.decision import Mode
from policies.contracts.errors import EvaluationFailed
from policies.contracts.scope import Scope
from tests.unit.proxy_addons.harness import (
    CARD,
    HEADER_LINE,
    SECRET_PROMPT,
    FakeGuard,
    Harness,
    Upstream,
    active_policy,
    chat,
    head,
    key_of,
    key_ring,
    plain_answer,
    ready_harness,
    streamed_answer,
)


async def test_allowed_request_is_forwarded_as_examined_and_recorded_once():
    harness = ready_harness()
    told = await harness.send(b' {"messages":[{"role":"user","content":"h\\u00e9"}], "model":"parrot"} ')
    assert told.status == 200
    assert told.sent_upstream == ['{"messages":[{"role":"user","content":"hé"}],"model":"parrot"}'.encode()]
    [record] = harness.sink.envelopes
    assert (record["kind"], record["outcome"], record["verdict"]) == ("terminal", "allow", "forwarded")
    assert record["http"]["bytes_out"] == len(told.body)


async def test_upstream_gets_none_of_the_clients_headers():
    harness = ready_harness()
    body = json.dumps(chat()).encode()
    hostile = [(b"X-Original-URL", b"/admin"), (b"X-HTTP-Method-Override", b"DELETE"), (b"X-Forwarded-For", b"1.2.3.4")]
    told = await harness.send(body, headers=head(body) + hostile)
    sent = {name.lower() for name, _ in told.flow.request.headers.fields}
    assert sent == {b"accept-encoding", b"x-request-id", b"content-type"}  # the layer frames what it sends


async def test_client_gets_none_of_the_upstreams_headers():
    told = await ready_harness().send(chat())
    assert {name.lower() for name, _ in told.flow.response.headers.fields} == {b"content-type"}


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "streamed"])
async def test_finding_is_redacted_and_counted(stream):
    harness = ready_harness()
    answer = streamed_answer(f"card {CARD} end") if stream else plain_answer(f"card {CARD} end")
    told = await harness.send(chat(stream=stream), upstream=answer)
    assert CARD.encode() not in told.body
    assert b"[redacted:payment-card]" in told.body
    record = harness.sink.envelopes[-1]
    assert record["verdict"] == "redacted"
    assert record["findings"] == [
        {"action": "replace", "count": 1, "detector": "payment-card", "policy": "answer-redaction", "rule": "card"}
    ]
    assert record["obligations"] == [{"policy": "answer-redaction", "status": "done", "type": "redact"}]


async def test_blocked_answer_is_withheld_whole():
    harness = ready_harness()
    told = await harness.send(chat(), upstream=plain_answer(f"key: {HEADER_LINE}"))
    assert (told.status, told.code) == (403, "answer-blocked")
    assert b"PRIVATE" not in told.body
    record = harness.sink.envelopes[0]
    assert (record["outcome"], record["verdict"]) == ("deny", "blocked")
    assert record["reasons"] == [{"code": "answer-blocked", "policy": "answer-redaction", "rule": "key"}]


async def test_stream_has_an_admission_record_and_a_terminal_one():
    harness = ready_harness()
    told = await harness.send(chat(stream=True), upstream=streamed_answer("hello"))
    assert told.body.endswith(b"data: [DONE]\n\n")
    kinds = [(record["kind"], record["verdict"], record["http"]["stream"]) for record in harness.sink.envelopes]
    assert kinds == [("admission", None, True), ("terminal", "forwarded", True)]


async def test_json_answer_to_a_stream_request_is_examined_whole():
    harness = ready_harness()
    told = await harness.send(chat(stream=True), upstream=plain_answer(f"card {CARD}"))
    assert (told.status, CARD.encode() in told.body) == (200, False)


async def test_stream_nobody_asked_for_is_refused():
    told = await ready_harness().send(chat(), upstream=streamed_answer("hello"))
    assert (told.status, told.code) == (502, "upstream-invalid")


@pytest.mark.parametrize(
    ("status", "headers", "want"),
    [
        pytest.param(400, [], (400, "upstream-refused"), id="bad-request"),
        pytest.param(404, [], (400, "upstream-refused"), id="model-not-found"),
        pytest.param(422, [], (400, "upstream-refused"), id="unprocessable"),
        pytest.param(401, [], (502, "upstream-error"), id="our-credential-refused"),
        pytest.param(429, [(b"Retry-After", b"7")], (429, "upstream-error"), id="busy"),
        pytest.param(500, [], (502, "upstream-error"), id="internal-error"),
        pytest.param(302, [(b"Location", b"http://x/")], (502, "upstream-invalid"), id="redirect"),
        pytest.param(200, [(b"Content-Type", b"text/html")], (502, "upstream-invalid"), id="page"),
        pytest.param(200, [], (502, "upstream-invalid"), id="no-media-type"),
    ],
)
async def test_upstream_failure_is_told_in_our_words(status, headers, want):
    harness = ready_harness()
    answer = Upstream(status=status, headers=headers, pieces=[b'{"error":"at 10.0.0.7 in vllm"}'])
    told = await harness.send(chat(), upstream=answer)
    assert (told.status, told.code) == want
    assert b"vllm" not in told.body
    assert harness.sink.envelopes[0]["outcome"] == "error_deny"


async def test_retry_after_of_a_busy_upstream_is_passed_on():
    answer = Upstream(status=429, headers=[(b"Retry-After", b"7")])
    told = await ready_harness().send(chat(), upstream=answer)
    assert told.flow.response.headers["Retry-After"] == "7"


async def test_models_are_those_the_subject_may_use():
    answer = Upstream(pieces=[b'{"object":"list","data":[{"id":"parrot"},{"id":"parrot-restricted"},{"id":"other"}]}'])
    harness = ready_harness()
    for name, want in (("alice", ["parrot", "parrot-restricted"]), ("bob", ["parrot"])):
        told = await harness.send(method="GET", target=b"/v1/models", headers=head(None, key=name), upstream=answer)
        assert [model["id"] for model in json.loads(told.body)["data"]] == want


async def test_guard_denial_is_told_in_the_guards_words():
    harness = ready_harness()
    tool = {"type": "function", "function": {"name": "shell"}}
    told = await harness.send(chat(tools=[tool]))
    assert (told.status, told.code) == (403, "tool-not-permitted")
    assert told.message == "The request offers a tool that policy forbids."
    assert told.sent_upstream == []
    assert harness.sink.envelopes[0]["outcome"] == "deny"


async def test_guard_that_warns_forwards_with_a_header():
    guards = tuple(
        type(guard)(**{name: getattr(guard, name) for name in guard.__slots__} | {"mode": Mode.WARN})
        for guard in active_policy().snapshot.guards
    )
    harness = ready_harness(guard=FakeGuard(mode=Mode.WARN), guards=guards)
    told = await harness.send(chat(tools=[{"type": "function", "function": {"name": "shell"}}]))
    assert told.status == 200
    assert told.flow.response.headers["Gatehouse-Warning"] == "tool-not-permitted"
    assert harness.sink.envelopes[0]["would_have"] == "deny"


async def test_model_that_is_not_granted_is_denied():
    harness = ready_harness()
    body = json.dumps(chat(model="parrot-restricted")).encode()
    told = await harness.send(body, headers=head(body, key="bob"))
    assert (told.status, told.code) == (403, "no-applicable-policy")
    assert harness.sink.envelopes[0]["resource"] == {"type": "model", "id": "parrot-restricted"}


async def test_engine_failure_is_503_and_an_error_in_the_record():
    harness = ready_harness(guard=FakeGuard(problem=EvaluationFailed("opa", "late")))
    told = await harness.send(chat())
    assert (told.status, told.code, told.sent_upstream) == (503, "evaluation-failed", [])
    assert harness.sink.envelopes[0]["outcome"] == "error_deny"


async def test_framing_fault_is_recorded_without_a_subject():
    harness = ready_harness()
    told = await harness.send(b"", method="", target=b"", headers=[], fault="ambiguous-framing")
    assert (told.status, told.code) == (400, "ambiguous-framing")
    record = harness.sink.envelopes[0]
    assert (record["subject"], record["http"]["method"], record["outcome"]) == (None, None, "error_deny")


async def test_unreachable_upstream_is_told_without_its_name():
    harness = ready_harness()
    told = await harness.send(chat(), upstream=Upstream(breaks="upstream-unavailable"))
    assert (told.status, told.code) == (502, "upstream-unavailable")
    assert len(harness.sink.records) == 1


async def test_upstream_that_breaks_off_a_stream_cuts_it():
    harness = ready_harness()
    answer = streamed_answer("hello", done=False)
    answer.breaks = "upstream-timeout"
    told = await harness.send(chat(stream=True), upstream=answer)
    assert told.code == "upstream-timeout"
    assert b"[DONE]" not in told.body
    assert [record["verdict"] for record in harness.sink.envelopes] == [None, "cut"]


@pytest.mark.parametrize(
    ("stream", "leaves", "want"),
    [
        pytest.param(False, "answer", [("terminal", "blocked", 499)], id="before-the-answer"),
        pytest.param(True, "stream", [("admission", None, 200), ("terminal", "cut", 200)], id="in-the-stream"),
    ],
)
async def test_client_that_leaves_is_recorded_once(stream, leaves, want):
    harness = ready_harness()
    answer = streamed_answer("hello") if stream else plain_answer("hello")
    await harness.send(chat(stream=stream), upstream=answer, leaves=leaves)
    got = [(record["kind"], record["verdict"], record["http"]["status"]) for record in harness.sink.envelopes]
    assert got == want
    assert harness.sink.envelopes[-1]["reasons"][0]["code"] == "client-disconnected"


async def test_rate_limit_tells_when_to_retry():
    limits = tuple(
        type(limit)(**{name: getattr(limit, name) for name in limit.__slots__} | {"rate": _rate()})
        for limit in active_policy().snapshot.limits
    )
    harness = ready_harness(limits=limits)
    harness.wait_s = 2.5
    told = await harness.send(chat())
    assert (told.status, told.code) == (429, "rate-limited")
    assert told.flow.response.headers["Retry-After"] == "3"


def _rate():
    from policies.contracts.snapshot import Rate

    return Rate(requests=1, per_s=60)


async def test_exchange_keeps_its_policy_and_releases_the_old_one_at_its_end():
    harness = ready_harness(serial=7)

    def swap_meanwhile(_body: bytes) -> Upstream:
        harness.feed.swap(active_policy(serial=8))
        assert harness.released == []
        return plain_answer("hello")

    await harness.send(chat(), upstream=swap_meanwhile)
    await harness.send(chat())
    assert harness.released == [7]
    assert [record["serial"] for record in harness.sink.envelopes] == [7, 8]


async def test_idle_policy_is_released_at_the_swap():
    harness = ready_harness(serial=7)
    harness.feed.swap(active_policy(serial=8))
    assert harness.released == [7]


@pytest.mark.parametrize(
    ("changes", "want"),
    [
        pytest.param({"revoked": True}, "credentials-revoked", id="revoked"),
        pytest.param({"expires_at": "now"}, "credentials-expired", id="expired-this-instant"),
        pytest.param({"blocked": ("user:bob",)}, "credentials-revoked", id="subject-blocked"),
        pytest.param({"blocked": ("user:bo", "user:alice", "service:bob")}, None, id="others-blocked"),
        pytest.param({"scope": Scope(models=("parrot-restricted",))}, "credential-scope-exceeded", id="model-scope"),
        pytest.param({"scope": Scope(operations=("completions",))}, "credential-scope-exceeded", id="operation-scope"),
        pytest.param({"scope": Scope(operations=("chat.completions",), models=("parrot",))}, None, id="within-scope"),
        pytest.param({}, None, id="in-force"),
    ],
)
async def test_key_is_checked_for_the_next_request_after_a_change(changes, want):
    from tests.unit.proxy_addons.harness import NOW

    harness = ready_harness()
    body = json.dumps(chat()).encode()
    assert (await harness.send(body, headers=head(body, key="bob"))).status == 200
    changes = {name: NOW if value == "now" else value for name, value in changes.items()}
    harness.feed.use_credentials(key_ring(epoch=2, **changes))
    assert (await harness.send(body, headers=head(body, key="bob"))).code == want


async def test_an_operation_out_of_scope_is_refused_before_the_body_is_read():
    harness = Harness(policy=active_policy(), keys=key_ring(scope=Scope(operations=("models.list",))))
    told = await harness.send(chat(), headers=head(b"{}", key="bob"))
    assert (told.status, told.code, told.sent_upstream) == (403, "credential-scope-exceeded", [])
    assert told.exchange.max_body_bytes == 0
    [envelope] = harness.sink.envelopes
    assert (envelope["outcome"], envelope["reasons"][0]["code"]) == ("deny", "credential-scope-exceeded")


async def test_a_scope_never_widens_what_policy_grants():
    harness = Harness(policy=active_policy(), keys=key_ring(scope=Scope(models=("parrot-restricted",))))
    told = await harness.send(chat(model="parrot-restricted"), headers=head(b"{}", key="bob"))
    assert (told.status, told.code) == (403, "no-applicable-policy")


async def test_models_out_of_scope_are_not_listed():
    answer = Upstream(pieces=[b'{"object":"list","data":[{"id":"parrot"},{"id":"parrot-restricted"}]}'])
    for scope in (Scope(models=("parrot-restricted",)), Scope(operations=("models.list",))):
        harness = Harness(policy=active_policy(), keys=key_ring(scope=scope))
        told = await harness.send(method="GET", target=b"/v1/models", headers=head(None, key="bob"), upstream=answer)
        assert (told.status, json.loads(told.body)["data"]) == (200, [])


async def test_record_holds_no_content_and_no_name():
    harness = ready_harness()
    await harness.send(chat(), upstream=plain_answer("the answer is marzipan"))
    [record] = harness.sink.records
    for secret in (SECRET_PROMPT, "marzipan", key_of("alice"), '"alice"'):
        assert secret.encode() not in record.envelope
    assert json.loads(record.payload)["subject"] == {"type": "user", "id": "alice"}
    assert b"marzipan" not in record.payload


async def test_nothing_is_served_before_the_first_policy_and_credentials():
    told = await Harness(keys=key_ring()).send(chat())
    assert (told.status, told.code) == (503, "policy-unavailable")
    told = await Harness(policy=active_policy()).send(chat())
    assert (told.status, told.code) == (503, "policy-unavailable")


async def test_same_serial_loaded_twice_releases_the_first():
    harness = ready_harness(serial=7)

    def swap_meanwhile(_body: bytes) -> Upstream:
        harness.feed.swap(active_policy(serial=7))
        return plain_answer("hello")

    await harness.send(chat(), upstream=swap_meanwhile)
    assert harness.released == [7]
    await harness.send(chat())
    assert harness.released == [7]
