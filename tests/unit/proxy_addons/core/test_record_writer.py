# SPDX-License-Identifier: Apache-2.0
"""The fast writer of records and the plain builder, which is its specification, give the same bytes."""

from dataclasses import replace
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from policies.contracts.asked_screen import ScoredWindow
from policies.contracts.content import Side
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
from policies.contracts.record import MAX_ENVELOPE_BYTES, RecordKind, Source
from policies.contracts.recording import ContentMode, RecordingTerms
from policies.contracts.request import EvaluationRequest, RequestFacts, Resource, Subject
from policies.contracts.snapshot import Dialect, Route
from policies.contracts.tools import RefusedCall
from policies.evaluation.screen_report import ScreenFinding, ScreenReport
from policies.evaluation.screening import Screened
from policies.evaluation.system_prompts import SystemPrompt
from policies.redaction.findings import Remark, Tally
from policies.sealed_texts import Seal
from proxy_addons.core.beside import Beside, BesideEffect, JudgedBeside
from proxy_addons.core.coverage import Coverage
from proxy_addons.core.exchange import AppliedFinding, Credential, Exchange
from proxy_addons.core.kept_content import KeptContent
from proxy_addons.core.record_builder import RecordScope, Told, build_record
from proxy_addons.core.record_writer import RecordWriter
from tests.unit.proxy_addons.harness import active_policy

POLICY = active_policy()

# Every character that JSON escapes, and those beyond the basic plane; a lone surrogate is in no text that was read.
TEXTS = st.text(st.characters(codec="utf-8"), max_size=12) | st.sampled_from(
    ["", '"', "\\", "\x00\x1f\x7f", "\u2028", "\U0001f600", "é"]
)
COUNTS = st.integers(0, 2**40)
TIMES = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)) | st.just(  # noqa: DTZ001  # hypothesis wants naive bounds
    datetime(2026, 11, 20, 18, tzinfo=UTC)
)
REASONS = st.builds(
    Reason,
    code=st.sampled_from(["answer-blocked", "client-disconnected", "upstream-error", "record-unavailable"]) | TEXTS,
    policy=TEXTS,
    rule=TEXTS,
)
ANSWERS = st.lists(
    st.builds(
        PolicyAnswer,
        policy=TEXTS,
        mode=st.sampled_from(Mode),
        outcome=st.sampled_from(Outcome),
        reasons=st.lists(REASONS, max_size=3).map(tuple),
    ),
    max_size=4,
).map(tuple)
ENGINES = st.builds(
    EngineAnswer,
    engine=st.sampled_from(["casbin", "opa", "limits"]) | TEXTS,
    answers=ANSWERS,
    duration_us=COUNTS,
    provenance=TEXTS,
    reused=st.booleans(),
)
SCREEN_FINDINGS = st.lists(
    st.builds(
        ScreenFinding,
        policy=TEXTS,
        rule=TEXTS,
        action=TEXTS,
        field=TEXTS,
        path=TEXTS,
        score_percent=st.integers(0, 100),
        windows=st.just((ScoredWindow(1, 7, "base64", 0.5),)),
    ),
    max_size=3,
).map(tuple)
DECISIONS = st.builds(
    Decision,
    effect=st.sampled_from(Effect),
    reasons=st.lists(REASONS, max_size=3).map(tuple),
    obligations=st.lists(st.builds(Redact, policy=TEXTS), max_size=3).map(tuple),
    revision=TEXTS,
    engines=st.lists(ENGINES, max_size=3).map(tuple),
    would_have=st.none() | st.sampled_from(Effect),
)
SUBJECTS = st.builds(
    Subject,
    type=st.sampled_from(["user", "service"]) | TEXTS,
    id=TEXTS,
    groups=st.lists(TEXTS, max_size=2).map(tuple),
)
RESOURCES = st.builds(Resource, type=TEXTS, id=TEXTS)
FACTS = st.builds(
    RequestFacts,
    stream=st.booleans(),
    max_tokens=st.none() | st.integers(0, 2**31 - 1),
    n=st.integers(0, 128),
    message_count=COUNTS,
    roles=st.lists(TEXTS, max_size=3).map(tuple),
    tools=st.lists(TEXTS, max_size=3).map(tuple),
    tool_choice=st.none() | TEXTS,
    text_chars=COUNTS,
    body_bytes=COUNTS,
)
EVALUATIONS = st.builds(
    EvaluationRequest,
    request_id=TEXTS,
    tenant=TEXTS,
    environment=TEXTS,
    subject=SUBJECTS,
    action=TEXTS,
    resource=RESOURCES,
    facts=FACTS,
    at=TIMES,
)
PATHS = st.sampled_from(["choices.0.message.content", "choices.17.message.content", "usage", ""]) | TEXTS
COVERAGES = st.builds(
    Coverage,
    scanned=st.lists(PATHS, max_size=5).map(tuple),
    not_scanned=st.lists(st.tuples(PATHS, TEXTS), max_size=40).map(tuple),
    by=st.lists(st.tuples(st.lists(TEXTS, max_size=3).map(tuple), st.lists(PATHS, max_size=3).map(tuple))).map(tuple),
)


def tally_of(remarks: list[Remark], omitted: int) -> Tally:
    tally = Tally()
    tally.remarks, tally.omitted = remarks, omitted if remarks else 0
    return tally


REMARKS = st.builds(
    Remark,
    policy=TEXTS,
    rule=TEXTS,
    detector=TEXTS,
    kind=TEXTS,
    action=TEXTS,
    path=TEXTS,
    length=COUNTS,
    span_hash=TEXTS,
)
FINDINGS = st.builds(AppliedFinding, detector=TEXTS, policy=TEXTS, rule=TEXTS, action=TEXTS, count=COUNTS)


def content_of(texts: list[str]) -> KeptContent:
    terms = RecordingTerms(prompts=ContentMode.HASHED, answers=ContentMode.HASHED)
    content = KeptContent(terms, seal=Seal(key=b"k" * 32, tenant="t"))
    for side in Side:
        content.add(side, [(text, text) for text in texts])
    return content


def beside_of(judged: JudgedBeside) -> Beside:
    return Beside(policy=POLICY, warns=False, headers=(), content=None, judged=judged)


JUDGED = st.builds(
    JudgedBeside,
    serial=COUNTS,
    revision=TEXTS,
    effect=st.sampled_from(BesideEffect),
    reasons=st.lists(TEXTS, max_size=12).map(tuple),
    differs=st.booleans(),
)
PROMPTS = st.builds(ApprovedPrompt, name=TEXTS, text=TEXTS, digest=TEXTS)
EXCHANGES = st.builds(
    Exchange,
    request_id=TEXTS,
    received_at=TIMES,
    started_ns=COUNTS,
    bytes_in=COUNTS,
    bytes_out=COUNTS,
    upstream_started_ns=st.none() | COUNTS,
    upstream_first_byte_ns=st.none() | COUNTS,
    trace_id=st.none() | TEXTS,
    client_request_id=st.none() | TEXTS,
    policy=st.none() | st.builds(lambda serial: replace(POLICY, serial=serial), COUNTS),
    credential=st.none() | st.builds(Credential, key_id=TEXTS, subject=SUBJECTS),
    route=st.none()
    | st.builds(
        Route,
        id=TEXTS,
        policy=TEXTS,
        method=st.just("POST"),
        path=TEXTS,
        operation=TEXTS,
        dialect=st.sampled_from(Dialect),
    ),
    resource=st.none() | RESOURCES,
    evaluation=st.none() | EVALUATIONS,
    decision=st.none() | DECISIONS,
    decide_us=COUNTS,
    beside=st.none() | JUDGED.map(beside_of),
    refusal=st.none() | REASONS,
    verdict=st.none() | st.sampled_from(Verdict),
    findings=st.lists(FINDINGS, max_size=3).map(tuple),
    upstream=st.none() | TEXTS,
    model_digest=st.none() | TEXTS,
    system_prompt=st.none() | st.builds(SystemPrompt, policy=TEXTS, rule=TEXTS, prompt=PROMPTS, inserted=st.booleans()),
    screen=st.none() | st.builds(ScreenReport, outcome=TEXTS, why=TEXTS, findings=SCREEN_FINDINGS),
    screened=st.lists(st.builds(Screened, policy=TEXTS, rule=TEXTS, action=TEXTS, count=COUNTS), max_size=2).map(tuple),
    refused_calls=st.lists(st.builds(RefusedCall, name=TEXTS, reason=REASONS, action=TEXTS), max_size=40).map(tuple),
    coverage=COVERAGES,
    request_coverage=COVERAGES,
    tally=st.none() | st.builds(tally_of, st.lists(REMARKS, max_size=3), COUNTS),
    content=st.none() | st.builds(content_of, st.lists(TEXTS, max_size=3)),
    uncovered=st.lists(st.tuples(PATHS, TEXTS), max_size=3).map(tuple),
    stripped_fields=st.integers(0, 100),
    status=st.none() | st.integers(100, 599),
)
TOLD = st.builds(
    Told,
    at=TIMES,
    now_ns=COUNTS,
    method=st.sampled_from(["GET", "POST", "BREW", ""]) | TEXTS,
    bytes_out=COUNTS,
)
SCOPE = RecordScope(tenant='ten"ant', environment="prodüction", pseudonym_key=b"k" * 32)
WRITER = RecordWriter(SCOPE)  # one for all examples, so that what it remembers is tried too
NAMED = {"source": Source(id="n/w0", boot_id="b" * 32, seq=3), "record_id": "01KB", "salt": "5a" * 16}


@given(EXCHANGES, st.sampled_from(RecordKind), TOLD)
def test_writes_what_the_builder_builds(exchange, kind, told):
    want = build_record(exchange, kind, scope=SCOPE, told=told, **NAMED)
    assert WRITER.write(exchange, kind, told=told, **NAMED) == want
    assert WRITER.write(exchange, kind, told=told, **NAMED) == want


def test_an_envelope_that_is_too_large_is_abridged():
    answers = tuple(
        PolicyAnswer(policy=f"policy-{n:060}", mode=Mode.ENFORCE, outcome=Outcome.NOT_APPLICABLE) for n in range(500)
    )
    decision = Decision(
        effect=Effect.DENY,
        reasons=(),
        obligations=(),
        revision="r",
        engines=(EngineAnswer(engine="opa", answers=answers),),
    )
    now = datetime(2026, 11, 20, 18, tzinfo=UTC)
    exchange = Exchange(request_id="req_1", received_at=now, started_ns=0, decision=decision)
    told = Told(at=now, now_ns=1, method="POST", bytes_out=0)
    record = WRITER.write(exchange, RecordKind.TERMINAL, told=told, **NAMED)
    assert record == build_record(exchange, RecordKind.TERMINAL, scope=SCOPE, told=told, **NAMED)
    assert len(record.envelope) <= MAX_ENVELOPE_BYTES


def test_answers_in_a_list_are_not_remembered():
    answers = [PolicyAnswer(policy="p", mode=Mode.ENFORCE, outcome=Outcome.ALLOW)]
    engine = EngineAnswer(engine="opa", answers=answers)  # type: ignore[arg-type]
    now = datetime(2026, 11, 20, 18, tzinfo=UTC)
    told = Told(at=now, now_ns=1, method="POST", bytes_out=0)
    decision = Decision(effect=Effect.ALLOW, reasons=(), obligations=(), revision="r", engines=(engine,))
    exchange = Exchange(request_id="req_1", received_at=now, started_ns=0, decision=decision)
    assert b'"outcome":"allow","policy":"p"' in WRITER.write(exchange, RecordKind.TERMINAL, told=told, **NAMED).envelope
    answers[0] = PolicyAnswer(policy="p", mode=Mode.ENFORCE, outcome=Outcome.DENY)
    assert b'"outcome":"deny","policy":"p"' in WRITER.write(exchange, RecordKind.TERMINAL, told=told, **NAMED).envelope
