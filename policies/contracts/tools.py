# SPDX-License-Identifier: Apache-2.0
"""Which tools a model may have called, and what becomes of a call that policy refuses.

Theory: a tool call in an answer acts, where the client's program runs it. So it is decided before it leaves: by the
rules of `tools` policies, by `deny_call` of guards, or by both. Where a tools policy is in force, a call that no rule
allows is refused, and so is one of a tool that the request did not offer.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, Self

from policies.contracts.codec import JSON
from policies.contracts.decision import Effect, Mode, Reason
from policies.contracts.members import ADDED, members

# In a rule's `tools`: every name that begins with what stands before it.
ANY_REST: Final = "*"


class OnRefusal(StrEnum):
    """What becomes of a refused call, the strictest first.

    CUT refuses the answer, or ends a stream with the error event. REMOVE takes the call out of its message. REPLACE
    does so and says in the message's text that a call was refused.
    """

    CUT = "cut"
    REMOVE = "remove"
    REPLACE = "replace"


def strictest(chosen: "tuple[OnRefusal, ...] | list[OnRefusal]") -> OnRefusal:
    """Return the strictest of `chosen`; CUT of none."""
    return min(chosen, key=list(OnRefusal).index, default=OnRefusal.CUT)


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolRule:
    """A call that `tools`, `subjects`, `operations` and `models` select, and whose arguments are as stated.

    `tools` are exact names, or a beginning and `*`. `subjects` are as in Grant; empty `operations` and `models` select
    all. `arguments` is a JSON Schema, `patterns` has a regular expression for the whole of each argument it names.
    """

    id: str
    effect: Effect
    subjects: tuple[str, ...]
    tools: tuple[str, ...]
    operations: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    arguments: Mapping[str, JSON] | None = field(default=None, metadata=ADDED)
    patterns: Mapping[str, str] | None = field(default=None, metadata=ADDED)


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolsPolicy:
    id: str
    version: str
    mode: Mode
    on_refusal: OnRefusal
    rules: tuple[ToolRule, ...]

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> Self:
        """Read one as a snapshot has it. Raises ValueError."""
        return cls(
            **members(cls, raw)
            | {
                "mode": Mode(raw["mode"]),
                "on_refusal": OnRefusal(raw["on_refusal"]),
                "rules": tuple(_rule(rule) for rule in raw["rules"]),
            },
        )


def _rule(raw: Mapping[str, Any]) -> ToolRule:
    lists = {name: tuple(raw[name]) for name in ("subjects", "tools", "operations", "models")}
    return ToolRule(**members(ToolRule, raw) | {"effect": Effect(raw["effect"]), **lists})


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedCall:
    """A call as the model asks for it. `index` is its place among those of its choice.

    `name` is None where it names no function, `arguments` where they are not one strict JSON object.
    """

    index: int
    name: str | None
    arguments: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeniedCall:
    """A guard's word on the call at `index`. Only one of mode `enforce` refuses it."""

    index: int
    mode: Mode
    reason: Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedCall:
    """A call that was refused, as records have it. `name` is `*` unless the request offered a tool of that name.

    `action` is how it was refused, or the mode of a policy that only would have. `message` is what a client is told
    where the reason is a guard's own.
    """

    name: str
    reason: Reason
    action: str
    message: str | None = None
