# SPDX-License-Identifier: Apache-2.0
"""A member that is added to the decision record is added in both places: where it is defined, and where it is written.

`tests/unit/proxy_addons/core/test_record_writer.py` compares every value; this holds what has members at all, beside the
other rules of shape.
"""

from datetime import UTC, datetime

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
from policies.contracts.prompts import ApprovedPrompt
from policies.contracts.record import RecordKind, Source
from policies.contracts.request import Subject
from policies.evaluation.screen_report import ScreenReport
from policies.evaluation.system_prompts import SystemPrompt
from proxy_addons.core.exchange import AppliedFinding, Credential, Exchange
from proxy_addons.core.record_builder import RecordScope, Told, build_record
from proxy_addons.core.record_writer import RecordWriter

AT = datetime(2026, 11, 20, 18, tzinfo=UTC)
REASON = Reason(code="access-denied", policy="p", rule="r")
ANSWER = PolicyAnswer(policy="p", mode=Mode.WARN, outcome=Outcome.DENY, reasons=(REASON,))
FULL = Exchange(
    request_id="req_1",
    received_at=AT,
    started_ns=0,
    credential=Credential(key_id="k", subject=Subject(type="user", id="alice")),
    decision=Decision(
        effect=Effect.ALLOW,
        reasons=(),
        obligations=(Redact(policy="p"),),
        revision="r",
        engines=(EngineAnswer(engine="opa", answers=(ANSWER,)),),
    ),
    upstream="gpu",
    model_digest="sha256:0",
    system_prompt=SystemPrompt(
        policy="p", rule="r", prompt=ApprovedPrompt(name="n", text="t", digest="sha256:0"), inserted=True
    ),
    screen=ScreenReport(outcome="answered"),
    verdict=Verdict.BLOCKED,
    refusal=REASON,
    findings=(AppliedFinding(detector="d", policy="p", rule="r", action="replace", count=1),),
)


def test_every_member_of_a_record_is_written():
    scope = RecordScope(tenant="t", environment="e", pseudonym_key=b"k" * 32)
    told = Told(at=AT, now_ns=1, method="POST", bytes_out=0)
    for exchange in (FULL, Exchange(request_id="req_1", received_at=AT, started_ns=0)):
        for kind in RecordKind:
            named = {"source": Source(id="n", boot_id="b", seq=1), "record_id": "r", "salt": "5a" * 16}
            want = build_record(exchange, kind, scope=scope, told=told, **named)
            assert RecordWriter(scope).write(exchange, kind, told=told, **named) == want
