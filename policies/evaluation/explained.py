# SPDX-License-Identifier: Apache-2.0
"""What an explanation is made of: stages, what each policy says there, and the rules that had a part."""

from collections.abc import Mapping
from dataclasses import dataclass

from policies.contracts.codec import JSON
from policies.contracts.decision import Mode, Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A rule that had a part: a grant, a guard's reason code, a route. `role` says which part."""

    policy: str
    rule: str
    role: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What one policy says at one stage. `facts` are numbers and names of policy, such as a limit."""

    policy: str
    mode: Mode
    outcome: str
    rules: tuple[Rule, ...] = ()
    facts: Mapping[str, JSON] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """`verdict` is `pass`, `refuse`, `not-asked` (refused before) or `unknown`: it needs what was not given.

    `reason` is why a stage refuses that stands before or behind the decision; the decision has the others' reasons.
    """

    name: str
    verdict: str
    said: tuple[Said, ...] = ()
    reason: Reason | None = None
