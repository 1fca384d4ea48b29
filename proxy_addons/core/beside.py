# SPDX-License-Identifier: Apache-2.0
"""What a candidate says of a request that another policy decides."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from policies.contracts.codec import JSON
from proxy_addons.core.active import ActivePolicy

# Reasons that a record has of a candidate: few, so that its envelope keeps room for what was decided.
MOST_REASONS: Final = 8


class BesideEffect(StrEnum):
    """ERROR: it failed, was late, or could not read the request. In force, it would have refused it."""

    ALLOW = "allow"
    DENY = "deny"
    ERROR = "error"


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedBeside:
    """`differs` where the policy in force says something else of the request. Answers are not judged beside."""

    serial: int
    revision: str
    effect: BesideEffect
    reasons: tuple[str, ...]
    differs: bool

    def to_json(self, most: int | None = None) -> dict[str, JSON]:
        return {
            "serial": self.serial,
            "revision": self.revision,
            "effect": self.effect.value,
            "reasons": self.reasons[: MOST_REASONS if most is None else min(most, MOST_REASONS)],
            "differs": self.differs,
        }


@dataclass(slots=True, kw_only=True, eq=False)
class Beside:
    """The candidate that is to judge an exchange, and the request as it came. `warns`: the client is told.

    `decided` is what the policy in force made of the request; `judging` the task that judges, once there is one.
    """

    policy: ActivePolicy
    warns: bool
    headers: tuple[tuple[bytes, bytes], ...]
    content: bytes | None
    decided: BesideEffect | None = None
    judging: Any = None
    judged: JudgedBeside | None = None
    held: bool = True
