# SPDX-License-Identifier: Apache-2.0
"""Screening of requests: phrases and expressions that no request of some kind may hold, or that are to be noted.

Theory: what is looked for is looked for as redaction does it, in texts that are folded and decoded, by field class.
Nothing is changed: a rule either has the request refused or leaves a finding in its record.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, Self

from policies.contracts.decision import Mode
from policies.contracts.members import members
from policies.contracts.redaction import FieldClass

SCREENED: Final = "prompt-screened"


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


@dataclass(frozen=True, slots=True, kw_only=True)
class ScreeningPolicy:
    id: str
    version: str
    mode: Mode
    rules: tuple[ScreeningRule, ...]

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> Self:
        """Read one as a snapshot has it. Raises ValueError."""
        return cls(**members(cls, raw) | {"mode": Mode(raw["mode"]), "rules": tuple(map(_rule, raw["rules"]))})


def _rule(raw: Mapping[str, Any]) -> ScreeningRule:
    lists = {name: tuple(raw[name]) for name in ("phrases", "expressions", "operations", "models", "subjects")}
    parsed = {"effect": ScreenEffect(raw["effect"]), "fields": tuple(map(FieldClass, raw["fields"]))}
    return ScreeningRule(**members(ScreeningRule, raw) | lists | parsed)
