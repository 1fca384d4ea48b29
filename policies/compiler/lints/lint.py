# SPDX-License-Identifier: Apache-2.0
"""What a lint gives, and the questions that several of them ask."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Final, TypeAlias

from policies.contracts.prompts import PromptRule, PromptsPolicy
from policies.contracts.screening import ScreeningPolicy, ScreeningRule
from policies.contracts.snapshot import Dialect, Grant, PolicySnapshot
from policies.contracts.tools import ToolRule
from policies.redaction.selection import Selecting

ANY: Final = "*"
_LISTED: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Lint:
    """Something that is right by the letter and hardly meant; `pointer` leads into the policy's document."""

    code: str
    policy: str
    pointer: str
    message: str
    fix: str


@dataclass(frozen=True, kw_only=True)
class Linted:
    """The policies that are looked at, compiled or about to be; they need not be a whole release. `at` is now."""

    snapshot: PolicySnapshot
    at: datetime

    @cached_property
    def operations(self) -> frozenset[str]:
        """The operations that routes have; empty where no route is known, so that nothing can be said of any."""
        return frozenset(route.operation for route in self.snapshot.routes)

    @cached_property
    def naming(self) -> frozenset[str]:
        """The operations whose requests name a model."""
        return frozenset(route.operation for route in self.snapshot.routes if route.dialect is not Dialect.MODELS)

    @cached_property
    def not_naming(self) -> frozenset[str]:
        return frozenset(route.operation for route in self.snapshot.routes if route.dialect is Dialect.MODELS)

    @cached_property
    def empty_groups(self) -> frozenset[str]:
        """The groups that an access policy defines without members, as selectors."""
        return frozenset(f"group:{name}" for name, members in self.snapshot.groups.items() if not members)

    def nobody(self, subjects: Collection[str]) -> bool:
        """Whether all of `subjects`, of which there is one, mean nobody."""
        return bool(subjects) and all(subject in self.empty_groups for subject in subjects)

    def unrouted(self, operations: Collection[str]) -> bool:
        """Whether `operations` name only what no route has."""
        return bool(operations and self.operations) and ANY not in operations and self.operations.isdisjoint(operations)


def rules_for_texts(snapshot: PolicySnapshot) -> Iterator[tuple[str, str, str, Selecting]]:
    """Give the rules that look at texts: the policy, where the rule stands there, what it is called, and the rule."""
    policies: tuple[PromptsPolicy | ScreeningPolicy, ...] = (*snapshot.prompts, *snapshot.screening)
    for screening in snapshot.screening:
        for number, asking in enumerate(screening.classifier):
            yield screening.id, f"/spec/classifier/{number}", f"The rule {asking.id!r}", asking
    for policy in policies:
        rules: tuple[PromptRule | ScreeningRule, ...] = policy.rules
        for number, rule in enumerate(rules):
            yield policy.id, f"/spec/rules/{number}", f"The rule {rule.id!r}", rule


Rule: TypeAlias = Grant | ToolRule


def every(listed: Sequence[str]) -> bool:
    return ANY in listed


def named(names: Sequence[str]) -> str:
    """Return `names` for a message, the first few of many."""
    shown = ", ".join(map(repr, names[:_LISTED]))
    return shown if len(names) <= _LISTED else f"{shown} and {len(names) - _LISTED} more"
