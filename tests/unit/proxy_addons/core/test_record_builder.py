# SPDX-License-Identifier: Apache-2.0
import json
from dataclasses import replace
from pathlib import Path

import pytest

from policies.contracts.decision import (
    Decision,
    Effect,
    EngineAnswer,
    Mode,
    Outcome,
    PolicyAnswer,
    Reason,
    Redact,
    Verdict,
)
from policies.contracts.reasons import REASONS
from policies.contracts.record import MAX_ENVELOPE_BYTES, RecordKind, RecordOutcome, Source
from policies.contracts.request import Subject
from proxy_addons.core.exchange import Credential, Exchange
from proxy_addons.core.record_builder import FAILURES, RecordScope, Told, build_record, outcome_of
from tests.unit.proxy_addons.harness import NOW, active_policy

SCOPE = RecordScope(tenant="default", environment="production", pseudonym_key=b"k" * 32)
TOLD = Told(at=NOW, now_ns=2_500_000, method="POST", bytes_out=10)
SPEC = Path(__file__).parents[4] / "docs" / "spec" / "decision-record.md"


def exchange(**members) -> Exchange:
    made = Exchange(request_id="req_1", received_at=NOW, started_ns=500_000)
    for name, value in members.items():
        setattr(made, name, value)
    return made


def decision(effect=Effect.ALLOW, **members) -> Decision:
    defaults = {"reasons": (), "obligations": (), "revision": "sha256:ab"}
    return Decision(effect=effect, **(defaults | members))


def envelope(made: Exchange, kind=RecordKind.TERMINAL, told=TOLD) -> dict:
    record = build_record(
        made, kind, scope=SCOPE, told=told, source=Source(id="n/w0", boot_id="b", seq=3), record_id="r1", salt="5a" * 16
    )
    assert len(record.envelope) <= MAX_ENVELOPE_BYTES
    return json.loads(record.envelope)


def test_members_are_those_of_the_specification():
    example = json.loads(SPEC.read_text().split("```json\n")[1].split("```")[0].replace("[…]", "[]"))
    got = envelope(exchange(credential=Credential(key_id="k", subject=Subject(type="user", id="alice"))))
    assert got.keys() == example.keys()
    for name in ("source", "subject", "http", "coverage", "latency_us"):
        assert got[name].keys() == example[name].keys()


def test_what_is_not_known_is_null():
    got = envelope(
        exchange(fault="malformed-request", refusal=Reason(code="malformed-request")), told=replace(TOLD, method="")
    )
    for name in ("trace_id", "subject", "action", "resource", "revision", "serial", "would_have"):
        assert got[name] is None
    assert (got["http"]["method"], got["http"]["route"], got["http"]["status"]) == (None, None, 400)


def test_text_of_the_client_is_not_a_method():
    assert envelope(exchange(), told=replace(TOLD, method="SECRET"))["http"]["method"] is None


def test_latency_counts_from_the_first_byte_in_microseconds():
    made = exchange(upstream_started_ns=1_000_000, upstream_first_byte_ns=1_900_000, decision=decision(), decide_us=7)
    assert envelope(made)["latency_us"] == {"total": 2000, "decide": 7, "upstream": 900}


@pytest.mark.parametrize(
    ("members", "want"),
    [
        pytest.param({"decision": decision()}, RecordOutcome.ALLOW, id="allowed"),
        pytest.param({}, RecordOutcome.ERROR_DENY, id="no-decision-and-no-refusal"),
        pytest.param(
            {"decision": decision(), "refusal": Reason(code="answer-blocked")}, RecordOutcome.DENY, id="answer-blocked"
        ),
        pytest.param(
            {"decision": decision(), "refusal": Reason(code="client-disconnected")}, RecordOutcome.ALLOW, id="left"
        ),
        pytest.param({"refusal": Reason(code="client-disconnected")}, RecordOutcome.ERROR_DENY, id="left-undecided"),
        pytest.param({"refusal": Reason(code="credentials-invalid")}, RecordOutcome.DENY, id="unknown-key"),
        pytest.param({"refusal": Reason(code="guards-own")}, RecordOutcome.DENY, id="guard"),
        pytest.param({"refusal": Reason(code="evaluation-failed")}, RecordOutcome.ERROR_DENY, id="engine-failed"),
        pytest.param({"refusal": Reason(code="ambiguous-framing")}, RecordOutcome.ERROR_DENY, id="unreadable"),
    ],
)
def test_outcome_tells_a_no_from_a_failure(members, want):
    assert outcome_of(exchange(**members)) is want


def test_failures_are_codes_that_exist():
    assert REASONS.keys() >= FAILURES


def test_every_server_error_is_a_failure():
    assert {code for code, spec in REASONS.items() if spec.error_type == "server_error"} <= FAILURES


def test_all_reasons_of_a_denial_are_recorded():
    reasons = (Reason(code="access-denied", policy="a"), Reason(code="own", policy="g", rule="r"))
    made = exchange(decision=decision(Effect.DENY, reasons=reasons), refusal=reasons[0], verdict=Verdict.BLOCKED)
    assert [reason["code"] for reason in envelope(made)["reasons"]] == ["access-denied", "own"]


@pytest.mark.parametrize(
    ("kind", "verdict", "refusal", "want"),
    [
        (RecordKind.ADMISSION, None, None, "pending"),
        (RecordKind.TERMINAL, Verdict.REDACTED, None, "done"),
        (RecordKind.TERMINAL, Verdict.CUT, "upstream-timeout", "partial"),
        (RecordKind.TERMINAL, Verdict.BLOCKED, "answer-blocked", "done"),
        (RecordKind.TERMINAL, Verdict.BLOCKED, "upstream-error", "skipped"),
    ],
)
def test_obligation_says_how_far_it_was_met(kind, verdict, refusal, want):
    owed = decision(obligations=(Redact(policy="p"),))
    made = exchange(decision=owed, verdict=verdict, refusal=Reason(code=refusal) if refusal else None)
    assert envelope(made, kind)["obligations"] == [{"type": "redact", "policy": "p", "status": want}]


def test_envelope_stays_small_however_many_policies_answer():
    answers = tuple(
        PolicyAnswer(
            policy=f"policy-{n:060}",
            mode=Mode.ENFORCE,
            outcome=Outcome.DENY if n == 499 else Outcome.NOT_APPLICABLE,
            reasons=tuple(Reason(code="x" * 64, policy="y" * 64) for _ in range(50 if n == 499 else 0)),
        )
        for n in range(500)
    )
    made = exchange(decision=decision(engines=(EngineAnswer(engine="opa", answers=answers),)))
    [engine] = envelope(made)["engines"]
    assert len(engine["answers"]) + engine["omitted"] == 500
    assert all(answer["outcome"] == "deny" for answer in engine["answers"][:1])


def test_payload_names_the_subject_and_the_input():
    made = exchange(policy=active_policy(), credential=Credential(key_id="k", subject=Subject(type="user", id="alice")))
    record = build_record(
        made,
        RecordKind.TERMINAL,
        scope=SCOPE,
        told=TOLD,
        source=Source(id="n/w0", boot_id="b", seq=3),
        record_id="r1",
        salt="5a" * 16,
    )
    assert json.loads(record.payload) == {
        "client_request_id": None,
        "input": {},
        "salt": "5a" * 16,
        "subject": {"id": "alice", "type": "user"},
    }
