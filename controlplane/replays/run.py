# SPDX-License-Identifier: Apache-2.0
"""One replay: slices of the log in, counts out."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

from controlplane.replays.comparison import Cause, Change, Judged, change_of
from controlplane.replays.evaluator import Evaluator, evaluator
from controlplane.replays.recorded_decision import NotReplayable, Replayable, read_described
from controlplane.replays.redaction_rules import Redacted, RulesInForce, redaction_of, rules_by_policy, rules_of
from controlplane.replays.tally import Tally
from controlplane.replays.text_rules import is_settled
from controlplane.services.decision_index import DescribedDecision
from controlplane.services.latencies import bucket_of, quantiles
from controlplane.services.rego_engines import RegoEngines
from policies.contracts.codec import JSON
from policies.contracts.decision import Effect, Mode
from policies.contracts.request import EvaluationRequest
from policies.contracts.snapshot import PolicySnapshot
from policies.evaluation.expected import expected_of
from policies.evaluation.limits import rates_for
from policies.evaluation.text_rules import may_refuse_texts, text_rules_for

# Enough for the 95th percentile of what one decision takes; timed one by one, which takes a moment.
_TIMED: Final = 200
_SHARES: Final = {"p50": 0.5, "p95": 0.95, "p99": 0.99}


@dataclass(slots=True, kw_only=True)
class ReplayRun:
    """A release over decisions. `baseline` is timed beside it and, where `compares_baseline`, compared with."""

    rego: RegoEngines
    snapshot: PolicySnapshot
    baseline: PolicySnapshot | None
    compares_baseline: bool
    most_examples: int
    in_force_then: Callable[[str, int, str], PolicySnapshot | None]

    async def over(self, slices: Iterator[Sequence[DescribedDecision]]) -> dict[str, Any]:
        """Return the counts of the report. `slices` is read in another thread, one slice ahead.

        Raises EvaluationFailed, OpaNotStarted, RegoRefused.
        """
        async with self._evaluators() as (release, baseline):
            counting = _Counting(
                release=release,
                baseline=baseline if self.compares_baseline else None,
                tally=Tally(most_examples=self.most_examples),
                rules=RulesInForce(load=self.in_force_then),
            )
            decisions = await asyncio.to_thread(_next, slices)
            while decisions is not None:
                _, decisions = await asyncio.gather(counting.add(decisions), asyncio.to_thread(_next, slices))
            timed = await _timed(counting.timed, release, baseline)
        return counting.to_json(timed)

    @asynccontextmanager
    async def _evaluators(self) -> AsyncIterator[tuple[Evaluator, Evaluator | None]]:
        async with AsyncExitStack() as stack:
            release = await stack.enter_async_context(evaluator(self.rego, self.snapshot))
            if self.baseline is None:
                yield release, None
            elif self.baseline.revision == self.snapshot.revision:
                yield release, release
            else:
                yield release, await stack.enter_async_context(evaluator(self.rego, self.baseline))


class _Counting:
    """Decisions as they are judged and counted."""

    def __init__(self, *, release: Evaluator, baseline: Evaluator | None, tally: Tally, rules: RulesInForce) -> None:
        self._release = release
        self._baseline = baseline
        self._tally = tally
        self._rules = rules
        self._now_rules = rules_by_policy(release.snapshot.redactions)
        self._was_rules = None if baseline is None else rules_by_policy(baseline.snapshot.redactions)
        self._recorded_us: Counter[int] = Counter()
        self._redaction: Counter[str] = Counter()
        sides = [release.snapshot] if baseline is None else [release.snapshot, baseline.snapshot]
        self._have_texts = any(map(may_refuse_texts, sides))
        self._have_rates = any(limit.rate is not None for limit in release.snapshot.limits)
        self.timed: list[EvaluationRequest] = []

    async def add(self, decisions: Sequence[DescribedDecision]) -> None:
        scope = (self._release.snapshot.tenant, self._release.snapshot.environment)
        again: list[Replayable] = []
        keys: list[bytes | None] = []
        for decision in decisions:
            self._tally.decisions += 1
            read = read_described(decision, scope=scope, key_of=self._release.distinct.recorded_key)
            if isinstance(read, NotReplayable):
                self._tally.leave_out(read.cause, read.request_id, read.codes)
            else:
                again.append(read)
                keys.append(read.key)
        before = self._release.asked
        now = await self._judged(self._release, again, keys)
        if self._release.asked > before and len(self.timed) < _TIMED:
            self.timed += [each.request for each in again[: _TIMED - len(self.timed)]]
        was = [each.was for each in again]
        if self._baseline is not None:
            distinct = self._baseline.distinct
            was = await self._judged(self._baseline, again, [distinct.recorded_key(each.payload) for each in again])
        for each, before_it, after_it in zip(again, was, now, strict=True):
            self._count(each, before_it, after_it)

    @staticmethod
    async def _judged(by: Evaluator, again: Sequence[Replayable], keys: Sequence[bytes | None]) -> list[Judged]:
        return await by.judge_by_key(keys, lambda place: again[place].request)

    def _count(self, each: Replayable, was: Judged, now: Judged) -> None:
        tally = self._tally
        change = change_of(was, now)
        if self._have_texts and not isinstance(change, Cause) and not self._is_settled(each, was, now):
            change = Cause.TEXT_NOT_JUDGED
        if isinstance(change, Cause):
            tally.leave_out(change, each.request_id, (code for code, _, _ in each.was.reasons))
            return
        tally.compared += 1
        self._time(each)
        if now.effect is Effect.ALLOW:
            self._count_what_else(each, now)
        if change is None and now.effect is Effect.ALLOW:
            change = self._redaction_change(each, was, now)
        if change is None:
            tally.unchanged += 1
            return
        deciding = _deciding(change, was, now)
        tally.changes[change].add(each.seen, was, now, deciding=deciding)

    def _is_settled(self, each: Replayable, was: Judged, now: Judged) -> bool:
        """Return whether what changed can be said without the texts of the request."""
        now_rules = text_rules_for(self._release.snapshot, each.request)
        if self._baseline is not None:
            before: PolicySnapshot | None = self._baseline.snapshot
        elif now_rules:
            before = self._rules.snapshot_of(each.envelope)
        else:
            return True
        return is_settled(
            was,
            now,
            was_rules=None if before is None else text_rules_for(before, each.request),
            now_rules=now_rules,
            is_on_record=self._baseline is None,
        )

    def _count_what_else(self, each: Replayable, now: Judged) -> None:
        if now.would_have is Effect.DENY:
            self._tally.would_refuse += 1
        rates = rates_for(self._release.snapshot, each.request.subject) if self._have_rates else ()
        if any(applied.mode is Mode.ENFORCE for applied in rates):
            self._tally.under_rates += 1

    def _redaction_change(self, each: Replayable, was: Judged, now: Judged) -> Change | None:
        """Return what changed of the redaction of a request that stays allowed, as far as that can be told."""
        if not was.redactions and not now.redactions:
            self._redaction[Redacted.SAME] += 1
            return None
        known = self._rules.of(each.envelope) if self._was_rules is None else self._was_rules
        now_rules = rules_of(now.redactions, self._now_rules)
        was_rules = rules_of(was.redactions, known)
        found = redaction_of(was_rules, now_rules or frozenset(), each.envelope.get("verdict"))
        self._redaction[found] += 1
        if found is Redacted.NO_LONGER:
            return Change.NO_LONGER_REDACTED
        if found is Redacted.TEXT_NEEDED:
            kept = "content-not-read" if each.payload.get("content") else "content-not-kept"
            self._tally.leave_redaction_out(kept, each.request_id)
        elif found is Redacted.RULES_UNKNOWN:
            self._tally.leave_redaction_out(found, each.request_id)
        return None

    def _time(self, each: Replayable) -> None:
        latency = each.envelope.get("latency_us")
        took = latency.get("decide") if isinstance(latency, dict) else None
        if type(took) is int and took >= 0:
            self._recorded_us[bucket_of(took)] += 1

    def to_json(self, timed: dict[str, Any]) -> dict[str, Any]:
        """Return the counts of the report."""
        tally, release = self._tally, self._release
        return {
            "decisions": tally.decisions,
            "compared": tally.compared,
            "unchanged": tally.unchanged,
            "changes": {change.value: tally.changes[change].to_json() for change in Change},
            "not_compared": {
                "count": sum(left.count for left in tally.left_out.values()),
                "by_cause": {cause: tally.left_out[cause].to_json() for cause in sorted(tally.left_out)},
            },
            "redaction": {
                "same": self._redaction[Redacted.SAME],
                "not_compared": {
                    cause: tally.redaction_left_out[cause].to_json() for cause in sorted(tally.redaction_left_out)
                },
            },
            "rates": {"counted": False, "allowed_under_a_rate": tally.under_rates},
            "texts": {"judged": False, "policies": [name for name, _ in expected_of(release.snapshot).texts]},
            "would_refuse": tally.would_refuse,
            "evaluation": {
                "distinct": release.asked,
                "spent_ms": release.spent_ns // 1_000_000,
                "recorded_us": _quantiles(self._recorded_us),
                **timed,
            },
        }


def _next(slices: Iterator[Sequence[DescribedDecision]]) -> Sequence[DescribedDecision] | None:
    return next(slices, None)


def _deciding(change: Change, was: Judged, now: Judged) -> list[tuple[str, str]]:
    """Return code and policy of what makes the difference: of a request that is let through, what had refused it."""
    if change is Change.NO_LONGER_REDACTED:
        return [("", policy) for policy in was.redactions]
    told = was.reasons if change is Change.NEWLY_ALLOWED else now.reasons
    return [(code, policy) for code, policy, _ in told]


async def _timed(
    requests: Sequence[EvaluationRequest], release: Evaluator, baseline: Evaluator | None
) -> dict[str, JSON]:
    """Return what one decision takes: of the release and of the baseline, asked in turn of the same requests."""
    us: dict[str, Counter[int]] = {"release_us": Counter(), "baseline_us": Counter()}
    for request in requests:
        us["release_us"][bucket_of(await release.time_one(request))] += 1
        if baseline is not None:
            us["baseline_us"][bucket_of(await baseline.time_one(request))] += 1
    return {"timed": len(requests), **{name: _quantiles(counts) for name, counts in us.items()}}


def _quantiles(counts: Counter[int]) -> dict[str, JSON] | None:
    found = quantiles(counts, list(_SHARES.values()))
    return None if found is None else {name: round(us) for name, us in zip(_SHARES, found, strict=True)}
