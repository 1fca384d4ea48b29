# SPDX-License-Identifier: Apache-2.0
"""The redaction policies of a snapshot, ready to be asked which rules hold for a request or an answer.

Building one compiles the patterns of all detectors, which takes seconds unless their databases are given: it is done
off the path of requests.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Final, Self

from policies.contracts.snapshot import Direction, RedactionPolicy
from policies.detectors import presidio
from policies.detectors.catalogue import Catalogue
from policies.detectors.contract import Detector
from policies.detectors.custom import own_detectors
from policies.detectors.registry import DETECTORS
from policies.redaction.findings import AnswerBlocked, FindingCount
from policies.redaction.rules import ActiveRules, RedactedText
from policies.redaction.selection import Selected, Selection
from policies.redaction.stream import StreamRedactor
from policies.scanning.databases import Databases
from policies.scanning.finder import Finder
from policies.scanning.kept import KeptDatabases

__all__ = ["ActiveRules", "AnswerBlocked", "FindingCount", "RedactedText", "Redaction", "StreamRedactor"]

# A snapshot has few policies, and so few sets of rules that come to be in force. Beyond this many none is kept.
_KEPT: Final = 256


def detectors_of(policies: Sequence[RedactionPolicy]) -> tuple[Detector, ...]:
    """Return the detectors that some rule of the policies names, ours and their own, in the order of precedence.

    Raises ValueError for a name that there is not, NotInstalled for one that needs what is not installed.
    """
    every = (*DETECTORS, *_asked_for(policies), *own_detectors(policies))
    catalogue = Catalogue(every)
    named: set[str] = set()
    for policy in policies:
        for name in {name for rule in policy.rules for name in rule.detectors}:
            names = catalogue.named(name, policy=policy.id)
            if not names:
                known = ", ".join(catalogue.sayable(policy=policy.id))
                raise ValueError(f"no such detector: {name}; there are {known}")
            named.update(names)
    return tuple(detector for detector in every if detector.name in named)


def _asked_for(policies: Sequence[RedactionPolicy]) -> tuple[Detector, ...]:
    """Return the detectors that need Presidio, where a rule names one and its policy has none of its own so called."""
    for policy in policies:
        own = {each.id for each in policy.detectors} | {each.id for each in policy.literals}
        said = {said for rule in policy.rules for said in rule.detectors}
        if any(map(presidio.wanted, said - own)):
            return presidio.detectors()
    return ()


@dataclass(frozen=True, slots=True, eq=False)
class Redaction:
    """Every redaction policy of one snapshot. Built once, off the path of requests; immutable."""

    policies: tuple[RedactionPolicy, ...]
    _selection: Selection
    _finder: Finder
    _key: bytes | None
    _active: dict[int, tuple[Selected, ActiveRules]] = field(default_factory=dict, init=False, repr=False)

    @classmethod
    def of(
        cls,
        policies: Sequence[RedactionPolicy],
        *,
        hash_key: bytes | None = None,
        databases: Databases | None = None,
        kept: KeptDatabases | None = None,
    ) -> Self:
        """Return the redaction of these policies. `databases` are those of `detectors_of(policies)`, if compiled.

        Otherwise they are taken from `kept`, as far as they were compiled before. `hash_key` is the tenant's; without
        it a value that were to be hashed is replaced. Raises ValueError for a detector that there is not, and for a
        pattern that cannot be looked for.
        """
        detectors = detectors_of(policies)
        finder = Finder(detectors, databases, kept=kept)
        return cls(tuple(policies), Selection(tuple(policies), Catalogue(detectors)), finder, hash_key)

    def applicable(
        self,
        *,
        operation: str | None,
        model: str | None,
        subject: Collection[str] | None = None,
        direction: Direction | None = None,
    ) -> tuple[str, ...]:
        """Return the ids of the policies in mode `enforce` that select the request and have rules for `direction`."""
        return self._selection.applicable(operation=operation, model=model, subject=subject, direction=direction)

    def rules_for(
        self,
        obliged: Collection[str],
        *,
        direction: Direction = Direction.ANSWER,
        operation: str | None = None,
        model: str | None = None,
        subject: Collection[str] | None = None,
    ) -> ActiveRules:
        """Return the rules of the policies in `obliged`, and those that only look.

        Policies in mode `warn` and `observe` look wherever they select, and everywhere if no `operation` is given.
        Raises LookupError where `obliged` names a policy that there is not: the obligation cannot be met.
        """
        selected = self._selection.rules_for(
            obliged, direction=direction, operation=operation, model=model, subject=subject
        )
        known = self._active.get(id(selected))
        if known is None or known[0] is not selected:
            if len(self._active) >= _KEPT:
                self._active.clear()
            # What was selected is kept beside, so that its place in memory stays its own.
            known = self._active[id(selected)] = selected, ActiveRules.of(selected, self._finder, self._key)
        return known[1]

    def text(self, *, operation: str, model: str | None, text: str) -> RedactedText:
        """Return what would leave of `text` as an answer of this operation and model."""
        obliged = self.applicable(operation=operation, model=model)
        return self.rules_for(obliged, operation=operation, model=model).text(text)
