# SPDX-License-Identifier: Apache-2.0
"""The rules that hold for the texts of one class of fields, by the number of the detector."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

from policies.contracts.snapshot import SEVERITY, RedactionAction, Strictness
from policies.redaction.replacement import shown
from policies.redaction.selection import DetectorUse, RuleUse, Selected
from policies.redaction.terms import Terms
from policies.scanning.finder import Finder, Finding

_STOPPING = frozenset({RedactionAction.BLOCK, RedactionAction.CUT})


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FieldRules:
    """Immutable; any number of texts may use it.

    `deciding` and `observing` have for each detector of the finder the rule that acts on its findings and those that
    only look; `wanted` whether the detector is asked at all, and how. `key` is that of the tenant's hashes, `names` are
    those that placeholders say. `enforces`: a rule of a policy that enforces is among them.
    """

    finder: Finder
    terms: Terms
    policies: tuple[str, ...]
    deciding: tuple[RuleUse | None, ...]
    observing: tuple[tuple[RuleUse, ...], ...]
    wanted: tuple[bool | None, ...]
    key: bytes | None
    names: frozenset[str]
    idle: bool = field(init=False)
    changes: bool = field(init=False)
    stops: bool = field(init=False)
    enforces: bool = field(init=False)

    def __post_init__(self) -> None:
        acting = [use.action for use in self.deciding if use is not None and use.action is not RedactionAction.ANNOTATE]
        object.__setattr__(self, "idle", all(lenient is None for lenient in self.wanted))
        object.__setattr__(self, "changes", bool(acting))
        object.__setattr__(self, "enforces", any(use is not None for use in self.deciding))
        object.__setattr__(self, "stops", not _STOPPING.isdisjoint(acting))

    @classmethod
    def of(cls, uses: Sequence[DetectorUse], selected: Selected, finder: Finder, key: bytes | None) -> Self:
        by_name: Mapping[str, DetectorUse] = {use.detector: use for use in uses}
        own = [by_name.get(detector.name) for detector in finder.detectors]
        return cls(
            finder=finder,
            terms=selected.terms,
            policies=selected.policies,
            deciding=tuple(None if use is None else use.deciding for use in own),
            observing=tuple(() if use is None else use.observing for use in own),
            wanted=tuple(None if use is None else _is_lenient(use) for use in own),
            key=key,
            names=frozenset(map(shown, finder.detectors)),
        )

    def looking_at(self, finding: Finding) -> tuple[RuleUse, ...]:
        """Return the rules that only look at a finding: those that observe, and one that annotates."""
        decides = self.deciding[finding.detector]
        if decides is None or decides.action is not RedactionAction.ANNOTATE:
            return self.observing[finding.detector]
        return (decides, *self.observing[finding.detector])

    def severity(self, detector: int) -> tuple[int, int, int]:
        """Return what orders rules of which one must decide: the action, the policy's place, the detector's."""
        use = self.deciding[detector]
        if use is None:
            raise LookupError("no rule acts on it")
        return SEVERITY[use.action], -self.policies.index(use.policy), -detector


def _is_lenient(use: DetectorUse) -> bool:
    deciding = use.deciding
    if deciding is not None:
        return deciding.strictness is Strictness.LENIENT
    return any(rule.strictness is Strictness.LENIENT for rule in use.observing)
