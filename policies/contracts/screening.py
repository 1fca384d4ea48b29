# SPDX-License-Identifier: Apache-2.0
"""Screening of requests: what no request of some kind may say, or what is to be noted where one does.

Theory: there are two sorts of rules. One looks for phrases and expressions as redaction does it, in texts that are
folded and decoded, by field class. The other asks a classifier, which says of each text how likely it is an injection,
and has a threshold for each field class. Nothing is changed: a rule either has the request refused or leaves a finding
in its record.

Facts: a number with a fraction has no canonical form, so that thresholds stand in ten-thousandths (`_bp`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, Self

from policies.contracts.decision import Mode
from policies.contracts.members import ADDED, members
from policies.contracts.redaction import FieldClass

SCREENED: Final = "prompt-screened"
INJECTION: Final = "prompt-injection"
UNAVAILABLE: Final = "screen-unavailable"
INCOMPLETE: Final = "screen-incomplete"
OWN_REASONS: Final = frozenset({SCREENED, INJECTION})
"""Those of Gatehouse's own reason codes that a screening rule, and for the second one a guard, may give too."""

WHOLE_BP: Final = 10_000
LEAST_DEADLINE_MS: Final = 20
LONGEST_DEADLINE_MS: Final = 10_000
USUAL_DEADLINE_MS: Final = 1000


class ScreenEffect(StrEnum):
    """DENY refuses the request. FLAG lets it go on and leaves a finding in its record."""

    DENY = "deny"
    FLAG = "flag"


@dataclass(frozen=True, slots=True, kw_only=True)
class ScreeningRule:
    """`phrases` are words in this order, whatever stands between them that is no text; `expressions` as in redaction.

    Neither asks for capitals. `fields` empty: texts of every class. `reason` is what a refusal is told as. Selectors
    are as in RedactionRule.
    """

    id: str
    effect: ScreenEffect
    phrases: tuple[str, ...]
    expressions: tuple[str, ...]
    fields: tuple[FieldClass, ...]
    operations: tuple[str, ...]
    models: tuple[str, ...]
    subjects: tuple[str, ...]
    reason: str


class Otherwise(StrEnum):
    """What becomes of a request that the classifier did not judge, or not whole."""

    DENY = "deny"
    ALLOW = "allow"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassifierRule:
    """Finds the texts whose score is at least a threshold: that of their class in `thresholds_bp`, or `threshold_bp`.

    A class that has neither is not asked about. `fields` empty: texts of every class. Otherwise as ScreeningRule.
    """

    id: str
    effect: ScreenEffect
    threshold_bp: int | None
    thresholds_bp: Mapping[FieldClass, int]
    fields: tuple[FieldClass, ...]
    operations: tuple[str, ...]
    models: tuple[str, ...]
    subjects: tuple[str, ...]
    reason: str

    def threshold_of(self, of: FieldClass) -> int | None:
        """Return from which score on, in ten-thousandths, a text of class `of` is found; None: no score counts."""
        if self.fields and of not in self.fields:
            return None
        return self.thresholds_bp.get(of, self.threshold_bp)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScreenAsk:
    """How the classifier is asked: how long a request waits for it, and what its silence means."""

    deadline_ms: int = USUAL_DEADLINE_MS
    when_absent: Otherwise = Otherwise.DENY
    when_incomplete: Otherwise = Otherwise.DENY


@dataclass(frozen=True, slots=True, kw_only=True)
class ScreeningPolicy:
    """`rules` look for phrases and expressions, `classifier` rules ask; `ask` says how, where there are any."""

    id: str
    version: str
    mode: Mode
    rules: tuple[ScreeningRule, ...]
    classifier: tuple[ClassifierRule, ...] = field(default=(), metadata=ADDED)
    ask: ScreenAsk | None = field(default=None, metadata=ADDED)

    @property
    def every_rule(self) -> "tuple[ScreeningRule | ClassifierRule, ...]":
        return (*self.rules, *self.classifier)

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> Self:
        """Read one as a snapshot has it. Raises ValueError."""
        given = members(cls, raw)
        classifier = tuple(map(_classifier_rule, given.get("classifier", ())))
        ask = None if given.get("ask") is None else _ask(given["ask"])
        if (ask is None) is bool(classifier):
            msg = f"the screening policy {given['id']} has one of classifier and ask"
            raise ValueError(msg)
        parsed = {"mode": Mode(raw["mode"]), "rules": tuple(map(_rule, raw["rules"]))}
        return cls(**given | parsed | {"classifier": classifier, "ask": ask})


def _rule(raw: Mapping[str, Any]) -> ScreeningRule:
    lists = {name: tuple(raw[name]) for name in ("phrases", "expressions", "operations", "models", "subjects")}
    parsed = {"effect": ScreenEffect(raw["effect"]), "fields": tuple(map(FieldClass, raw["fields"]))}
    return ScreeningRule(**members(ScreeningRule, raw) | lists | parsed)


def _classifier_rule(raw: Mapping[str, Any]) -> ClassifierRule:
    lists = {name: tuple(raw[name]) for name in ("operations", "models", "subjects")}
    parsed = {
        "effect": ScreenEffect(raw["effect"]),
        "fields": tuple(map(FieldClass, raw["fields"])),
        "thresholds_bp": {FieldClass(name): value for name, value in raw["thresholds_bp"].items()},
    }
    rule = ClassifierRule(**members(ClassifierRule, raw) | lists | parsed)
    stated = [*rule.thresholds_bp.values(), *(() if rule.threshold_bp is None else (rule.threshold_bp,))]
    # A threshold out of range would find everything, or nothing ever.
    if not stated or any(type(each) is not int or not 0 < each <= WHOLE_BP for each in stated):
        msg = f"the classifier rule {rule.id} has no threshold, or one that is not from 1 to {WHOLE_BP}"
        raise ValueError(msg)
    return rule


def _ask(raw: Mapping[str, Any]) -> ScreenAsk:
    parsed = {name: Otherwise(raw[name]) for name in ("when_absent", "when_incomplete")}
    ask = ScreenAsk(**members(ScreenAsk, raw) | parsed)
    if type(ask.deadline_ms) is not int or not LEAST_DEADLINE_MS <= ask.deadline_ms <= LONGEST_DEADLINE_MS:
        msg = f"the deadline of a screen is not from {LEAST_DEADLINE_MS} to {LONGEST_DEADLINE_MS} ms"
        raise ValueError(msg)
    return ask
