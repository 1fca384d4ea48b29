# SPDX-License-Identifier: Apache-2.0
"""Decision records as bytes: what `record_builder` says, put together as text in one pass.

Theory: an envelope has 25 members, whose names, order and most values are known before the request comes. Building,
checking, sorting and encoding them as a value takes several times as long as writing them. So their order stands in the
code, what varies is quoted, and what comes again (a subject's pseudonym, what an engine said, which fields were
scanned) is remembered as text.

Rules: `record_builder.build_record` is the specification, and this module's test holds both to the same bytes. An
envelope that is too large is left to it, since it knows what to abridge.
"""

import hashlib
from collections.abc import Hashable
from datetime import datetime
from json.encoder import encode_basestring as quoted
from typing import Final, Generic, TypeVar

import orjson

from policies.contracts.codec import canonical_bytes
from policies.contracts.decision import EngineAnswer, PolicyAnswer, Reason
from policies.contracts.record import MAX_ENVELOPE_BYTES, SCHEMA, DecisionRecord, RecordKind, Source
from policies.redaction.findings import Remark
from proxy_addons.core.exchange import AppliedFinding, Exchange
from proxy_addons.core.record_builder import (
    METHODS,
    RecordScope,
    Told,
    build_record,
    content_of,
    obligation_status,
    outcome_of,
    payload_of,
    reasons_of,
    status_of,
    subject_of,
)
from proxy_addons.core.record_findings import (
    MAX_COVERED,
    called,
    covered,
    findings_of,
    judged_beside,
    prompted,
    screened,
)

# Beyond so many all is forgotten and begins anew. A fleet has many subjects; the others come in few forms.
_SUBJECTS: Final = 8192
_FORMS: Final = 512
_CANONICAL: Final = orjson.OPT_SORT_KEYS | orjson.OPT_STRICT_INTEGER

_Key = TypeVar("_Key", bound=Hashable)
_Value = TypeVar("_Value")


class RecordWriter:
    """Writes the records of one worker. Used on its event loop only."""

    def __init__(self, scope: RecordScope) -> None:
        self._scope = scope
        self._environment = quoted(scope.environment)
        self._tenant = quoted(scope.tenant)
        self._subjects: _Remembered[tuple[str, str, str], str] = _Remembered(_SUBJECTS)
        self._coverages: _Remembered[object, str] = _Remembered(_FORMS)
        # By identity: an engine that remembers an answer gives the same object again, and comparing two takes as long
        # as writing one. The object is kept beside its text, so that no other can come to have its identity.
        self._answers: _Remembered[int, tuple[tuple[PolicyAnswer, ...], str]] = _Remembered(_FORMS)

    def write(
        self, exchange: Exchange, kind: RecordKind, *, told: Told, source: Source, record_id: str, salt: str
    ) -> DecisionRecord:
        """Return the record of `exchange` as it stands."""
        payload = orjson.dumps(
            {**payload_of(exchange, kind, record_id=record_id, at=told.at), "salt": salt}, option=_CANONICAL
        )
        named = (
            f'"payload_digest":"sha256:{hashlib.sha256(payload).hexdigest()}"',
            f'"record_id":"{record_id}"',
            f'"source":{{"boot_id":"{source.boot_id}","id":{quoted(source.id)},"seq":{source.seq}}}',
        )
        envelope = self._envelope(exchange, kind, told, named).encode()
        if len(envelope) > MAX_ENVELOPE_BYTES:
            return build_record(
                exchange, kind, scope=self._scope, told=told, source=source, record_id=record_id, salt=salt
            )
        return DecisionRecord(envelope, payload)

    def _envelope(self, exchange: Exchange, kind: RecordKind, told: Told, named: tuple[str, str, str]) -> str:
        digest, record_id, source = named
        policy, decision, asked = exchange.policy, exchange.decision, exchange.evaluation
        route, resource, refusal = exchange.route, exchange.resource, exchange.refusal
        action = route_id = of_model = revision = serial = decide_us = would_have = upstream_us = "null"
        engines = obligations = reasons = findings = ""
        if route is not None:
            action, route_id = quoted(route.operation), quoted(route.id)
        if resource is not None:
            of_model = f'{{"id":{quoted(resource.id)},"type":{quoted(resource.type)}}}'
        if decision is not None:
            revision = quoted(decision.revision)
            decide_us = str(exchange.decide_us)
            engines = ",".join([self._engine(answer) for answer in decision.engines])
            if policy is not None:
                serial = str(policy.serial)
            if decision.would_have is not None:
                would_have = f'"{decision.would_have}"'
            if decision.obligations:
                status = obligation_status(exchange, kind)
                obligations = ",".join(
                    [
                        f'{{"policy":{quoted(owed.policy)},"status":"{status}","type":"redact"}}'
                        for owed in decision.obligations
                    ]
                )
        if refusal is not None:
            reasons = ",".join([_reason(reason) for reason in reasons_of(exchange)])
        if exchange.findings or exchange.screened or exchange.screen is not None:
            findings = ",".join([_finding(found) for found in findings_of(exchange)])
        first_byte_ns, started_ns = exchange.upstream_first_byte_ns, exchange.upstream_started_ns
        if first_byte_ns is not None and started_ns is not None:
            upstream_us = str((first_byte_ns - started_ns) // 1000)
        remarks, omitted = _remarks(exchange)
        verdict = "null" if exchange.verdict is None or kind is RecordKind.ADMISSION else f'"{exchange.verdict}"'
        status_code = exchange.status if refusal is None else status_of(exchange)
        return (
            f'{{"action":{action}{_beside(exchange, kind)}{_content(exchange, kind)}'
            f',"coverage":{self._coverage(exchange)},"engines":[{engines}]'
            f',"environment":{self._environment},"findings":[{findings}]'
            f',"http":{{"bytes_in":{exchange.bytes_in},"bytes_out":{told.bytes_out}'
            f',"method":{quoted(told.method) if told.method in METHODS else "null"},"route":{route_id}'
            f',"status":{"null" if status_code is None else int(status_code)}'
            f',"stream":{"true" if asked is not None and asked.facts.stream else "false"}}}'
            f',"kind":"{kind}","latency_us":{{"decide":{decide_us}'
            f',"total":{(told.now_ns - exchange.started_ns) // 1000},"upstream":{upstream_us}}}'
            f"{'' if exchange.model_digest is None else _model_digest(exchange.model_digest)}"
            f',"obligations":[{obligations}],"outcome":"{outcome_of(exchange)}",{digest}'
            f',"reasons":[{reasons}],{record_id},"remarks":[{remarks}]'
            f',"remarks_omitted":{omitted},"request_id":{quoted(exchange.request_id)}'
            f',"resource":{of_model},"revision":{revision},"schema":"{SCHEMA}"{_screened(exchange)},"serial":{serial}'
            f",{source}"
            f',"subject":{self._subject(exchange)}{_prompted(exchange)},"tenant":{self._tenant},"time":{_time(told.at)}{_called(exchange)}'
            f',"trace_id":{"null" if exchange.trace_id is None else quoted(exchange.trace_id)}'
            f"{'' if exchange.upstream is None else _upstream(exchange.upstream)}"
            f',"verdict":{verdict},"would_have":{would_have}}}'
        )

    def _engine(self, answer: EngineAnswer) -> str:
        answers = answer.answers
        known = self._answers.get(id(answers))
        if known is None:
            known = answers, ",".join([_answer(given) for given in answers])
            if type(answers) is tuple:  # a list could change after it was written
                self._answers.keep(id(answers), known)
        provenance = quoted(answer.provenance) if answer.provenance else "null"
        return (
            f'{{"answers":[{known[1]}],"duration_us":{answer.duration_us},"engine":{quoted(answer.engine)}'
            f',"omitted":{answer.neutral},"provenance":{provenance},"reused":{"true" if answer.reused else "false"}}}'
        )

    def _coverage(self, exchange: Exchange) -> str:
        key = (exchange.coverage, exchange.request_coverage, exchange.uncovered, exchange.stripped_fields)
        known = self._coverages.get(key)
        if known is None:
            known = self._coverages.keep(key, canonical_bytes(covered(exchange, MAX_COVERED)).decode())
        return known

    def _subject(self, exchange: Exchange) -> str:
        credential = exchange.credential
        if credential is None:
            return "null"
        subject = credential.subject
        key = (subject.type, subject.id, f"{credential.kind.value} {credential.key_id}")
        known = self._subjects.get(key)
        if known is None:
            known = self._subjects.keep(key, canonical_bytes(subject_of(exchange, self._scope)).decode())
        return known


class _Remembered(dict[_Key, _Value], Generic[_Key, _Value]):
    """What was worked out before, of at most `most` keys."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self._most = most

    def keep(self, key: _Key, value: _Value) -> _Value:
        if len(self) >= self._most:
            self.clear()
        self[key] = value
        return value


def _answer(given: PolicyAnswer) -> str:
    reasons = ",".join([_reason(reason) for reason in given.reasons])
    return (
        f'{{"mode":"{given.mode}","outcome":"{given.outcome}","policy":{quoted(given.policy)},"reasons":[{reasons}]}}'
    )


def _reason(reason: Reason) -> str:
    return f'{{"code":{quoted(reason.code)},"policy":{quoted(reason.policy)},"rule":{quoted(reason.rule)}}}'


def _finding(found: AppliedFinding) -> str:
    return (
        f'{{"action":{quoted(found.action)},"count":{found.count},"detector":{quoted(found.detector)}'
        f',"policy":{quoted(found.policy)},"rule":{quoted(found.rule)}}}'
    )


def _remarks(exchange: Exchange) -> tuple[str, int]:
    tally = exchange.tally
    if tally is None or not tally.remarks:
        return "", 0
    return ",".join([_remark(each) for each in tally.remarks]), tally.omitted


def _remark(remark: Remark) -> str:
    return (
        f'{{"action":{quoted(remark.action)},"detector":{quoted(remark.detector)},"kind":{quoted(remark.kind)}'
        f',"length":{remark.length},"path":{quoted(remark.path)},"policy":{quoted(remark.policy)}'
        f',"rule":{quoted(remark.rule)},"span_hash":{quoted(remark.span_hash)}}}'
    )


def _called(exchange: Exchange) -> str:
    if not exchange.refused_calls:
        return ""
    return "," + canonical_bytes(called(exchange, MAX_COVERED)).decode()[1:-1]


def _upstream(name: str) -> str:
    return f',"upstream":{quoted(name)}'


def _model_digest(digest: str) -> str:
    return f',"model_digest":{quoted(digest)}'


def _prompted(exchange: Exchange) -> str:
    if exchange.system_prompt is None:
        return ""
    return "," + canonical_bytes(prompted(exchange)).decode()[1:-1]


def _screened(exchange: Exchange) -> str:
    if exchange.screen is None:
        return ""
    return "," + canonical_bytes(screened(exchange, None)).decode()[1:-1]


def _beside(exchange: Exchange, kind: RecordKind) -> str:
    if exchange.beside is None or not (member := judged_beside(exchange, kind, None)):
        return ""
    return "," + canonical_bytes(member).decode()[1:-1]


def _content(exchange: Exchange, kind: RecordKind) -> str:
    if exchange.content is None or not (member := content_of(exchange, kind)):
        return ""
    return "," + canonical_bytes(member).decode()[1:-1]


def _time(at: datetime) -> str:
    text = orjson.dumps(at, option=orjson.OPT_UTC_Z).decode()
    return text if at.microsecond else text[:-2] + '.000000Z"'
