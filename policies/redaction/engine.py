# SPDX-License-Identifier: Apache-2.0
"""The redaction policies of a snapshot, ready to be asked which rules hold for an answer.

Rules: a policy in mode `enforce` changes an answer only where the decision obliges it (`Redact`); one in mode `warn` or
`observe` never changes an answer, obliged or not, and counts what it finds. Where rules of several policies name one
detector, `block` wins, then the order of the policies.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Final, Self

from policies.contracts.decision import Mode
from policies.contracts.snapshot import Direction, RedactionAction, RedactionPolicy, RedactionRule
from policies.detectors.clues import Clues
from policies.detectors.registry import DETECTOR_NAMES, DETECTORS
from policies.redaction.chain import Chain
from policies.redaction.findings import AnswerBlocked, AppliedRule, FindingCount
from policies.redaction.rules import ActiveRules, RedactedText
from policies.redaction.stage import DetectorRules
from policies.redaction.stream import StreamRedactor
from policies.redaction.terms import united

__all__ = ["ActiveRules", "AnswerBlocked", "FindingCount", "RedactedText", "Redaction", "StreamRedactor"]


# A snapshot has few policies, and so few sets of them that come to be in force. Beyond this many none is kept.
_KEPT: Final = 256
_Key = tuple[tuple[str, ...], tuple[str, ...], Direction]
_Asked = tuple[tuple[str, ...], str | None, str | None, Direction]


@dataclass(frozen=True, slots=True)
class Redaction:
    """Every redaction policy of one snapshot. Built once, off the path of requests; immutable."""

    policies: tuple[RedactionPolicy, ...]
    _clues: Clues = field(default_factory=lambda: Clues(DETECTORS), init=False, repr=False, compare=False)
    _asked: dict[_Asked, ActiveRules] = field(default_factory=dict, init=False, repr=False, compare=False)
    _active: dict[_Key, ActiveRules] = field(default_factory=dict, init=False, repr=False, compare=False)

    @classmethod
    def of(cls, policies: Sequence[RedactionPolicy]) -> Self:
        """Return the redaction of these policies. Raises ValueError for a detector that there is not."""
        named = {detector for policy in policies for rule in policy.rules for detector in rule.detectors}
        if unknown := named.difference(DETECTOR_NAMES):
            raise ValueError(f"no such detector: {', '.join(sorted(unknown))}; there are {', '.join(DETECTOR_NAMES)}")
        return cls(tuple(policies))

    def applicable(self, *, operation: str, model: str | None) -> tuple[str, ...]:
        """Return the ids of the policies in mode `enforce` that select answers of this operation and model."""
        return tuple(
            policy.id
            for policy in self.policies
            if policy.mode is Mode.ENFORCE and _selects(policy, operation=operation, model=model)
        )

    def rules_for(
        self,
        obliged: Collection[str],
        *,
        operation: str | None = None,
        model: str | None = None,
        subject: Collection[str] | None = None,  # noqa: ARG002  # no rule selects by it yet
        direction: Direction = Direction.ANSWER,
    ) -> ActiveRules:
        """Return the rules of the policies in `obliged`, and those that only look.

        Policies in mode `warn` and `observe` look at every answer they select, and at every answer if no `operation`
        is given. Raises LookupError where `obliged` names a policy that there is not: the obligation cannot be met.
        """
        asked = tuple(obliged), operation, model, direction
        known = self._asked.get(asked)
        if known is None:
            known = self._selected_rules(*asked)
            if len(self._asked) >= _KEPT:
                self._asked.clear()  # a client can name as many models as it likes
            self._asked[asked] = known
        return known

    def _selected_rules(
        self, obliged: tuple[str, ...], operation: str | None, model: str | None, direction: Direction
    ) -> ActiveRules:
        if unknown := set(obliged).difference(policy.id for policy in self.policies):
            raise LookupError(f"no such redaction policy: {', '.join(sorted(unknown))}")
        enforced = [policy for policy in self.policies if policy.mode is Mode.ENFORCE and policy.id in obliged]
        looking = [
            policy
            for policy in self.policies
            if policy.mode is not Mode.ENFORCE
            and (operation is None or _selects(policy, operation=operation, model=model))
        ]
        key = tuple(policy.id for policy in enforced), tuple(policy.id for policy in looking), direction
        active = self._active.get(key)
        if active is None:
            active = self._rules_of(enforced, looking, direction)
            if len(self._active) < _KEPT:
                self._active[key] = active
        return active

    def _rules_of(
        self, enforced: Sequence[RedactionPolicy], looking: Sequence[RedactionPolicy], direction: Direction
    ) -> ActiveRules:
        by_detector = []
        for place, detector in enumerate(DETECTORS):
            changing = _rules(enforced, detector.name, direction)
            blocking = [rule for rule in changing if rule.action == RedactionAction.BLOCK]
            deciding = next(iter(blocking or changing), None)
            observing = tuple(_rules(looking, detector.name, direction))
            if deciding or observing:
                by_detector.append(
                    DetectorRules(
                        detector=detector,
                        place=place,
                        deciding=deciding,
                        observing=observing,
                        reversible=deciding is not None and _is_reversible(enforced, deciding),
                    )
                )
        return ActiveRules(Chain(by_detector, self._clues), united((*enforced, *looking)))

    def text(self, *, operation: str, model: str | None, text: str) -> RedactedText:
        """Return what would leave of `text` as an answer of this operation and model."""
        obliged = self.applicable(operation=operation, model=model)
        return self.rules_for(obliged, operation=operation, model=model).text(text)


def _selects(policy: RedactionPolicy, *, operation: str, model: str | None) -> bool:
    return _selected(policy.operations, operation) and _selected(policy.models, model)


def _selected(listed: tuple[str, ...], value: str | None) -> bool:
    return not listed or value in listed or "*" in listed


def _rules(policies: Sequence[RedactionPolicy], detector: str, direction: Direction) -> list[AppliedRule]:
    return [
        AppliedRule(detector=detector, policy=policy.id, rule=rule.id, action=_action(policy, rule))
        for policy in policies
        for rule in policy.rules
        if detector in rule.detectors and direction in rule.directions
    ]


def _action(policy: RedactionPolicy, rule: RedactionRule) -> str:
    if policy.mode is not Mode.ENFORCE:
        return str(policy.mode)
    return str(RedactionAction.BLOCK if rule.action is RedactionAction.CUT else rule.action)


def _is_reversible(policies: Sequence[RedactionPolicy], applied: AppliedRule) -> bool:
    rules = [rule for policy in policies if policy.id == applied.policy for rule in policy.rules]
    return any(rule.reversible for rule in rules if rule.id == applied.rule)
