# SPDX-License-Identifier: Apache-2.0
"""Which rules hold for one direction of one exchange, by field class and detector. Pure, and remembered.

Rules: a policy in mode `enforce` acts only where the decision obliges it; its own selectors were asked then and are not
asked again, those of its rules are. One in mode `warn` or `observe` only looks, obliged or not, wherever it selects.
Where several rules would act on one detector in one class of fields, the severest action decides (of two that mask,
the one that leaves less; of two that replace, the one that is not reversible), then the order of the policies, then
that of the rules. The one that decides is lenient if any of them is: each would have acted on what it found.

What is not given (`subject` None, `operation` None) narrows nothing: who does not know applies every rule.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Final, Protocol, TypeAlias

from policies.contracts.decision import Mode
from policies.contracts.snapshot import (
    SEVERITY,
    Direction,
    FieldClass,
    RedactionAction,
    RedactionPolicy,
    RedactionRule,
    Strictness,
)
from policies.detectors.catalogue import Catalogue
from policies.redaction.terms import Terms, united

# Keys have only what some policy names, so there are few; but obligations come in any combination.
_KEPT: Final = 1024
_ANY: Final = "*"


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleUse:
    """One rule for one detector. `mode` other than ENFORCE: it only looks."""

    policy: str
    rule: str
    detector: str
    action: RedactionAction
    mode: Mode = Mode.ENFORCE
    keep_last: int = 0
    strictness: Strictness = Strictness.LENIENT
    reversible: bool = False

    @property
    def said(self) -> str:
        """What counts and remarks say was done: the action, or the mode of a rule that only looks."""
        return str(self.action if self.mode is Mode.ENFORCE else self.mode)


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectorUse:
    """What is done about the findings of one detector in one class of fields; `observing` ones change nothing."""

    detector: str
    deciding: RuleUse | None
    observing: tuple[RuleUse, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Selected:
    """The rules of one direction of one exchange: the same object where the same are selected again.

    `fields` has every class; the uses of one stand in the order of the detectors. `policies` are those whose rules are
    among them, in the order of the snapshot.
    """

    direction: Direction
    fields: Mapping[FieldClass, tuple[DetectorUse, ...]]
    terms: Terms
    policies: tuple[str, ...]

    @property
    def idle(self) -> bool:
        """Whether no rule looks at anything."""
        return not self.policies

    @property
    def enforcing(self) -> bool:
        """Whether a rule may change something. One that annotates leaves a remark and nothing else."""
        deciding = (use.deciding for uses in self.fields.values() for use in uses)
        return any(rule is not None and rule.action is not RedactionAction.ANNOTATE for rule in deciding)


_Key: TypeAlias = tuple[frozenset[str], Direction, str | None, str | None, frozenset[str] | None]


@dataclass(frozen=True, slots=True)
class Selection:
    """The redaction policies of a snapshot, ready to be asked which of their rules hold."""

    policies: tuple[RedactionPolicy, ...]
    catalogue: Catalogue
    _ids: frozenset[str] = field(init=False, repr=False)
    _named: "_Names" = field(init=False, repr=False)
    _known: dict[_Key, Selected] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        """Raise ValueError for a rule that names what the catalogue does not have."""
        for policy in self.policies:
            for rule in policy.rules:
                for said in rule.detectors:
                    if not self.catalogue.named(said, policy=policy.id):
                        raise ValueError(f"policy {policy.id!r}, rule {rule.id!r}: no such detector: {said!r}")
        object.__setattr__(self, "_ids", frozenset(policy.id for policy in self.policies))
        object.__setattr__(self, "_named", _Names.of(self.policies))

    def applicable(
        self,
        *,
        operation: str | None,
        model: str | None,
        subject: Collection[str] | None = None,
        direction: Direction | None = None,
    ) -> tuple[str, ...]:
        """Return the ids of the policies in mode `enforce` that select the request, and have a rule for `direction`.

        `subject` are the selectors that mean the subject: `user:alice`, `group:staff`, `*`.
        """
        return tuple(
            policy.id
            for policy in self.policies
            if policy.mode is Mode.ENFORCE
            and selects(policy, operation=operation, model=model, subject=subject)
            and (direction is None or any(direction in rule.directions for rule in policy.rules))
        )

    def rules_for(
        self,
        obliged: Collection[str],
        *,
        direction: Direction = Direction.ANSWER,
        operation: str | None = None,
        model: str | None = None,
        subject: Collection[str] | None = None,
    ) -> Selected:
        """Return the rules of the policies in `obliged`, and those that only look.

        Raises LookupError where `obliged` names a policy that there is not: the obligation cannot be met.
        """
        named = self._named
        # A client names what it likes: of that, only what some policy names can make a difference.
        key = (
            frozenset(obliged),
            direction,
            operation if operation is None or operation in named.operations else "",
            model if model is None or model in named.models else "",
            None if subject is None else named.subjects.intersection(subject),
        )
        known = self._known.get(key)
        if known is None:
            if unknown := key[0] - self._ids:
                raise LookupError(f"no such redaction policy: {', '.join(sorted(unknown))}")
            known = self._select(key)
            if len(self._known) >= _KEPT:
                self._known.clear()
            self._known[key] = known
        return known

    def _select(self, key: _Key) -> Selected:
        obliged, direction, operation, model, subject = key
        asked = _Asked(operation, model, subject)
        uses: list[tuple[RuleUse, tuple[FieldClass, ...]]] = []
        in_force: list[RedactionPolicy] = []
        for policy in self.policies:
            enforced = policy.mode is Mode.ENFORCE
            if not (policy.id in obliged if enforced else asked.selects(policy)):
                continue
            rules = [rule for rule in policy.rules if direction in rule.directions and asked.selects(rule)]
            if rules:
                in_force.append(policy)
            for rule in rules:
                names = {name for said in rule.detectors for name in self.catalogue.named(said, policy=policy.id)}
                uses += [(_use(policy, rule, name), rule.fields) for name in names]
        return Selected(
            direction=direction,
            fields=MappingProxyType(
                {of: self._by_detector(use for use, fields in uses if not fields or of in fields) for of in FieldClass}
            ),
            terms=united(in_force),
            policies=tuple(policy.id for policy in in_force),
        )

    def _by_detector(self, uses: Iterable[RuleUse]) -> tuple[DetectorUse, ...]:
        """Return what is done about each detector, `uses` being in the order of policies and rules."""
        by_name: dict[str, list[RuleUse]] = {}
        for use in uses:
            by_name.setdefault(use.detector, []).append(use)
        return tuple(_decided(name, by_name[name]) for name in self.catalogue.names if name in by_name)


class Selecting(Protocol):
    """What selects requests: a policy, or a rule of one."""

    @property
    def operations(self) -> tuple[str, ...]: ...

    @property
    def models(self) -> tuple[str, ...]: ...

    @property
    def subjects(self) -> tuple[str, ...]: ...


def selects(
    by: Selecting,
    *,
    operation: str | None,
    model: str | None,
    subject: Collection[str] | None,
) -> bool:
    """Return whether the selectors of a policy, or of a rule, mean the request. What is empty selects all."""
    if operation is not None:
        if by.operations and operation not in by.operations and _ANY not in by.operations:
            return False
        if by.models and (model is None or (model not in by.models and _ANY not in by.models)):
            return False
    return subject is None or not by.subjects or _ANY in by.subjects or not set(subject).isdisjoint(by.subjects)


@dataclass(frozen=True, slots=True)
class _Asked:
    operation: str | None
    model: str | None
    subject: frozenset[str] | None

    def selects(self, by: RedactionPolicy | RedactionRule) -> bool:
        return selects(by, operation=self.operation, model=self.model, subject=self.subject)


@dataclass(frozen=True, slots=True)
class _Names:
    """What any policy names."""

    operations: frozenset[str]
    models: frozenset[str]
    subjects: frozenset[str]

    @classmethod
    def of(cls, policies: Sequence[RedactionPolicy]) -> "_Names":
        selectors: list[RedactionPolicy | RedactionRule] = [*policies, *(r for p in policies for r in p.rules)]
        return cls(
            operations=frozenset(name for by in selectors for name in by.operations),
            models=frozenset(name for by in selectors for name in by.models),
            subjects=frozenset(name for by in selectors for name in by.subjects),
        )


def _use(policy: RedactionPolicy, rule: RedactionRule, detector: str) -> RuleUse:
    return RuleUse(
        policy=policy.id,
        rule=rule.id,
        detector=detector,
        action=rule.action,
        mode=policy.mode,
        keep_last=rule.keep_last,
        strictness=rule.strictness,
        reversible=rule.reversible,
    )


def _decided(detector: str, uses: Sequence[RuleUse]) -> DetectorUse:
    acting = [use for use in uses if use.mode is Mode.ENFORCE]
    deciding = max(acting, key=_severity, default=None)  # of equal ones the first
    if deciding is not None and any(use.strictness is Strictness.LENIENT for use in acting):
        deciding = replace(deciding, strictness=Strictness.LENIENT)
    observing = tuple(use for use in uses if use.mode is not Mode.ENFORCE)
    return DetectorUse(detector=detector, deciding=deciding, observing=observing)


def _severity(use: RuleUse) -> tuple[int, bool, int]:
    return SEVERITY[use.action], not use.reversible, -use.keep_last
