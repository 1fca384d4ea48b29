# SPDX-License-Identifier: Apache-2.0
"""The rules as rules.yaml has them: what each looks for, how much it weighs, and what it finds and does not find."""

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Final, Self

from policies.screening.lexicon import lexicon, read_table
from policies.screening.model import Origin

# To be raised with any change of rules.yaml, lexicon.yaml or how they are read.
RULES_VERSION: Final = "2"
# What gives orders because it may weighs so much less; what is forged there is forged nevertheless.
_WHERE_ORDERS_ARE: Final = 0.3
_PATTERN: Final = re.compile(r"[A-Z_]+(?: [0-9]{1,2} [A-Z_]+)*")


@dataclass(frozen=True, slots=True)
class Step:
    """A class of words, and how many positions it may stand behind the end of the one before."""

    of: str
    gap: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Finds what any of its patterns or expressions does, or all of `all_of` in one text.

    Of the hits of one `family` the heaviest counts. `quotable`: speaking about it is no attempt. `user` and `given` are
    how much a hit weighs.
    """

    id: str
    family: str
    patterns: tuple[tuple[Step, ...], ...]
    expressions: tuple[re.Pattern[str], ...]
    all_of: tuple[re.Pattern[str], ...]
    needs: str
    user: float
    given: float
    quotable: bool
    finds: tuple[str, ...]
    ignores: tuple[str, ...]

    @classmethod
    def parse(cls, raw: Mapping[str, Any]) -> Self:
        """Read one. Raises ValueError."""
        known = {each.name for each in fields(cls)}
        if unknown := raw.keys() - known:
            raise ValueError(f"rules.yaml: {raw.get('id')} has {sorted(unknown)}: known are {sorted(known)}")
        return cls(
            id=raw["id"],
            family=raw.get("family", raw["id"]),
            patterns=tuple(_steps(raw["id"], each) for each in raw.get("patterns", ())),
            expressions=tuple(re.compile(each, re.IGNORECASE) for each in raw.get("expressions", ())),
            all_of=tuple(re.compile(each, re.IGNORECASE) for each in raw.get("all_of", ())),
            needs=raw.get("needs", ""),
            user=raw["user"],
            given=raw["given"],
            quotable=raw.get("quotable", True),
            finds=tuple(raw["finds"]),
            ignores=tuple(raw["ignores"]),
        )

    def weight(self, origin: Origin) -> float:
        """Return how much a hit weighs in what is from `origin`."""
        if origin.is_given:
            return self.given
        if origin.orders and self.quotable:
            return self.user * _WHERE_ORDERS_ARE
        return self.user


def _steps(rule: str, pattern: str) -> tuple[Step, ...]:
    if not _PATTERN.fullmatch(pattern):
        raise ValueError(f"rules.yaml: {rule} has the pattern {pattern!r}: write classes with a distance between two")
    first, *rest = pattern.split()
    steps = (Step(first, 0), *(Step(name, int(gap)) for gap, name in zip(rest[::2], rest[1::2], strict=True)))
    for step in steps:
        if step.of not in lexicon().classes:
            raise ValueError(f"rules.yaml: {rule} names {step.of}, which lexicon.yaml has not")
    return steps


@functools.cache
def rules() -> tuple[Rule, ...]:
    """Return the rules, read when they are first asked for."""
    return tuple(map(Rule.parse, read_table("rules.yaml")))


@functools.cache
def families() -> Mapping[str, str]:
    """Return the family of each rule."""
    return {rule.id: rule.family for rule in rules()}
