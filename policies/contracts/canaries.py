# SPDX-License-Identifier: Apache-2.0
"""The tests of a release that enforcement points repeat, each for itself, before they put its snapshot to work.

A release was tested where it was made. What a node runs is another process with engines of its own, an OPA beside it
and patterns compiled on its machine: that these say the same of the same question is seen only by asking them.
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Self

from policies.contracts.decision import Effect
from policies.contracts.members import ADDED, members
from policies.contracts.redaction import Direction, FieldClass
from policies.contracts.request import RequestFacts, Subject

MOST_CANARIES: Final = 64
LONGEST_TEXT: Final = 4096
FAILED: Final = "canary-failed"
"""How the error begins by which a worker reports a snapshot that did not answer as its canaries expect."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialText:
    """A text that redaction is tried on, where it stands, and what is to become of it; None: it does not matter.

    `screened`: whether screening finds something in it. `score_bp`: what the classifier is taken to say of it, in
    ten-thousandths: nobody is asked for the sake of a trial.
    """

    direction: Direction
    field: FieldClass
    text: str
    redacted: str | None = None
    blocked: bool | None = None
    findings: tuple[str, ...] | None = None
    screened: bool | None = dataclasses.field(default=None, metadata=ADDED)
    score_bp: int | None = dataclasses.field(default=None, metadata=ADDED)

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> Self:
        parsed = {"direction": Direction(raw["direction"]), "field": FieldClass(raw["field"])}
        return cls(**members(cls, raw) | parsed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Canary:
    """One question and what is to be answered; None: it does not matter. `policy` is the document it is from.

    `model` is None for operations that name none. `time` is when it is asked: ISO 8601, with its offset.
    """

    policy: str
    name: str
    subject: Subject
    operation: str
    model: str | None
    facts: RequestFacts
    time: str
    effect: Effect | None
    reasons: tuple[str, ...] | None
    text: TrialText | None

    @property
    def at(self) -> datetime:
        return datetime.fromisoformat(self.time)

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> Self:
        """Read what a snapshot holds. Raises ValueError, TypeError or KeyError for anything else."""
        given = members(cls, raw)
        subject, facts, text = given["subject"], given["facts"], given["text"]
        canary = cls(
            **given
            | {
                "subject": Subject(**members(Subject, subject)),
                "facts": RequestFacts(**members(RequestFacts, facts)),
                "effect": None if given["effect"] is None else Effect(given["effect"]),
                "text": None if text is None else TrialText.from_json(text),
            }
        )
        if canary.at.tzinfo is None:
            msg = f"the canary {canary.name} has a time without an offset"
            raise ValueError(msg)
        return canary
