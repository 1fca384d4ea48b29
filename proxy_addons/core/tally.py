# SPDX-License-Identifier: Apache-2.0
"""What a worker counts of its exchanges: plain integers on its event loop, read out when the node asks.

Rules: a label is a word of policy or of ours, never a client's. Reason codes come from `REASONS` or from a guard's
document, operations from routes, and a model is named only where the policy in force names it. So the number of series
is bounded by policy; `_MOST_SERIES` bounds it also over years of changing policies.
"""

from dataclasses import dataclass
from typing import Final

from policies.contracts.decision import Verdict
from policies.contracts.record import RecordOutcome
from proxy_addons.core.exchange import Exchange
from proxy_addons.core.record_builder import outcome_of
from proxy_addons.core.series import Histogram, Series

_MOST_SERIES: Final = 1000
_OTHER: Final = "other"
_NONE: Final = "none"
GUARDS: Final = frozenset({"opa", "rego-embedded"})


@dataclass(slots=True)
class _Ended:
    """How many exchanges ended alike."""

    operation: str
    code: str
    verdict: Verdict | None
    outcome: RecordOutcome
    number: int = 0


class Tally:
    """Counts each exchange once, when it has ended."""

    def __init__(self) -> None:
        # Members of enumerations by their identity: hashing one takes as long as all else here.
        self._ended: dict[tuple[str, str, int, int], _Ended] = {}
        self._models: dict[str, int] = {}
        self._findings: dict[str, int] = {}
        self._judged: dict[tuple[str, str], int] = {}
        self._bytes_in = 0
        self._bytes_out = 0
        self._head = Histogram()
        self._decide = Histogram()
        self._guard_asked = Histogram()
        self._guard_reused = 0
        self._upstream = Histogram()
        self._record = Histogram()
        self._first_byte = Histogram()
        self._total = Histogram()

    def count(self, exchange: Exchange, now_ns: int) -> None:
        """Count `exchange`, which has ended at `now_ns`; a second time changes nothing."""
        if exchange.counted:
            return
        exchange.counted = True
        route, refusal, started_ns = exchange.route, exchange.refusal, exchange.started_ns
        operation, code = _NONE if route is None else route.operation, "" if refusal is None else refusal.code
        verdict, outcome = exchange.verdict, outcome_of(exchange)
        ended = self._ended.get((operation, code, id(verdict), id(outcome)))
        if ended is None:
            ended = self._new(operation, code, verdict, outcome)
        ended.number += 1
        self._bytes_in += exchange.bytes_in
        self._bytes_out += exchange.bytes_out
        self._total.observe(now_ns - started_ns)
        self._first_byte.observe((exchange.admitted_ns or now_ns) - started_ns)
        if exchange.examined_ns:
            self._head.observe(exchange.examined_ns - started_ns)
        if exchange.record_ns:
            self._record.observe(exchange.record_ns)
        if exchange.upstream_first_byte_ns is not None and exchange.upstream_started_ns is not None:
            self._upstream.observe(exchange.upstream_first_byte_ns - exchange.upstream_started_ns)
        if exchange.decision is not None:
            self._count_decision(exchange)
        if exchange.beside is not None and (judged := exchange.beside.judged) is not None:
            key = judged.effect.value, "true" if judged.differs else "false"
            self._judged[key] = self._judged.get(key, 0) + 1

    def _new(self, operation: str, code: str, verdict: Verdict | None, outcome: RecordOutcome) -> _Ended:
        if len(self._ended) >= _MOST_SERIES:
            operation, code = _OTHER, _OTHER
        key = (operation, code, id(verdict), id(outcome))
        return self._ended.setdefault(key, _Ended(operation, code, verdict, outcome))

    def _count_decision(self, exchange: Exchange) -> None:
        self._decide.observe(exchange.decide_us * 1000)
        for answer in exchange.decision.engines if exchange.decision is not None else ():
            if answer.engine in GUARDS:
                if answer.reused:
                    self._guard_reused += 1
                else:
                    self._guard_asked.observe(answer.duration_us * 1000)
        policy, resource = exchange.policy, exchange.resource
        if policy is not None and resource is not None and resource.type == "model":
            model = resource.id if resource.id in policy.models else _OTHER
            if model not in self._models and len(self._models) >= _MOST_SERIES:
                model = _OTHER
            self._models[model] = self._models.get(model, 0) + 1
        for found in exchange.findings:
            self._findings[found.detector] = self._findings.get(found.detector, 0) + found.count

    def read(self) -> list[Series]:
        """Return every series as it stands."""
        series: list[Series] = []
        failures: dict[str, int] = {}
        for ended in self._ended.values():
            code, said = ended.code, _NONE if ended.verdict is None else ended.verdict.value
            series.append(
                ("gatehouse_requests_total", (ended.operation, ended.outcome.value, code, said), ended.number)
            )
            if code.startswith("upstream-"):
                failures[code] = failures.get(code, 0) + ended.number
        series += [("gatehouse_upstream_failures_total", (code,), number) for code, number in failures.items()]
        series += [("gatehouse_model_decisions_total", (model,), number) for model, number in self._models.items()]
        series += [("gatehouse_findings_total", (name,), number) for name, number in self._findings.items()]
        series += [("gatehouse_candidate_judged_total", key, number) for key, number in self._judged.items()]
        series += [
            ("gatehouse_received_bytes_total", (), self._bytes_in),
            ("gatehouse_sent_bytes_total", (), self._bytes_out),
            ("gatehouse_guard_answers_reused_total", (), self._guard_reused),
        ]
        stages = {
            "head": self._head,
            "decide": self._decide,
            "guard": self._guard_asked,
            "upstream": self._upstream,
            "record": self._record,
            "first_byte": self._first_byte,
            "total": self._total,
        }
        return series + [("gatehouse_stage_seconds", (stage,), times.read()) for stage, times in stages.items()]
