# SPDX-License-Identifier: Apache-2.0
"""Would the same be redacted? Where the same rules hold it would, and no text is needed to say so.

Facts: what is redacted is a function of the texts and of the redaction policies that the decision obliges to. A text
that was kept is what left, after redaction, so that it tells what a release would find beyond that, and never whether
it would find again what is no longer there.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final

from policies.contracts.codec import digest
from policies.contracts.decision import Verdict
from policies.contracts.members import plain
from policies.contracts.snapshot import PolicySnapshot, RedactionPolicy

# The log is read in its order, in which few decide at a time. Large ones are some hundred megabytes together.
_MOST_REMEMBERED: Final = 16


class Redacted(StrEnum):
    """What can be said of the redaction of a request that stays allowed."""

    SAME = "same-rules"
    NO_LONGER = "no-longer-redacted"
    TEXT_NEEDED = "text-needed"
    RULES_UNKNOWN = "rules-unknown"


Rules = frozenset[str]
"""The digests of redaction policies, without what their authors call this version of them."""


@dataclass(slots=True, kw_only=True)
class RulesInForce:
    """The snapshots that decided, which `load` finds by environment, serial and revision, and their redaction rules."""

    load: Callable[[str, int, str], PolicySnapshot | None]
    _known: dict[tuple[str, int, str], tuple[PolicySnapshot, Mapping[str, str]] | None] = field(default_factory=dict)

    def snapshot_of(self, envelope: Mapping[str, object]) -> PolicySnapshot | None:
        """Return the snapshot that decided; None where it is not known any more."""
        found = self._find(envelope)
        return None if found is None else found[0]

    def of(self, envelope: Mapping[str, object]) -> Mapping[str, str] | None:
        """Return its redaction rules by policy."""
        found = self._find(envelope)
        return None if found is None else found[1]

    def _find(self, envelope: Mapping[str, object]) -> tuple[PolicySnapshot, Mapping[str, str]] | None:
        match envelope:
            case {"environment": str() as environment, "serial": int() as serial, "revision": str() as revision}:
                key = (environment, serial, revision)
            case _:
                return None
        if key not in self._known:
            if len(self._known) >= _MOST_REMEMBERED:
                self._known.clear()
            snapshot = self.load(*key)
            self._known[key] = None if snapshot is None else (snapshot, rules_by_policy(snapshot.redactions))
        return self._known[key]


def rules_by_policy(policies: Iterable[RedactionPolicy]) -> Mapping[str, str]:
    return {policy.id: digest(plain(replace(policy, version=""))) for policy in policies}


def rules_of(policies: Collection[str], by_policy: Mapping[str, str] | None) -> Rules | None:
    """Return the rules of `policies`, None where one is not known."""
    if not policies:
        return frozenset()
    if by_policy is None:
        return None
    found = [by_policy.get(policy) for policy in policies]
    return None if None in found else frozenset(rule for rule in found if rule is not None)


def redaction_of(was: Rules | None, now: Rules, verdict: object) -> Redacted:
    """Return what can be said without texts; `verdict` is what was recorded."""
    if was == now:
        return Redacted.SAME
    if not now:
        return Redacted.NO_LONGER if verdict == Verdict.REDACTED else Redacted.SAME
    return Redacted.RULES_UNKNOWN if was is None else Redacted.TEXT_NEEDED
