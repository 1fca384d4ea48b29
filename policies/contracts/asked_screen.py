# SPDX-License-Identifier: Apache-2.0
"""What a prompt screen is asked, and what it answers, as `docs/spec/prompt-screen.md` has it on the wire.

Rules: a question has texts and MUST NOT be logged or recorded; an answer has none. An answer is about all texts of its
question, in their order, or it is none: whoever reads it makes a ScreenAbsent of anything else.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from policies.contracts.redaction import FieldClass


@dataclass(frozen=True, slots=True)
class ScreenText:
    """A text, its class, and the path of its member: `*` for indices, and an end where names are the client's."""

    text: str
    field: FieldClass
    path: str = ""


@dataclass(frozen=True, slots=True)
class ScreenQuestion:
    """`joined`: whether what the texts say together is asked for too. `whole`: no text had to be left out."""

    texts: tuple[ScreenText, ...]
    joined: bool
    whole: bool = True


@dataclass(frozen=True, slots=True)
class ScoredWindow:
    """A place in a text as it was given, in code points, how it was read there, and the score."""

    start: int
    end: int
    view: str
    score: float


@dataclass(frozen=True, slots=True)
class ScreenScore:
    """How likely a text is an injection, from 0 to 1. Not `complete`: a part of it was not judged."""

    score: float
    complete: bool = True
    windows: tuple[ScoredWindow, ...] = ()


@dataclass(frozen=True, slots=True)
class ScreenAnswer:
    """`scores` are those of the question's texts, `joined` of what they say together, where that was asked for.

    `versions` names the layers that judged.
    """

    scores: tuple[ScreenScore, ...]
    joined: ScreenScore | None = None
    versions: Mapping[str, str] = field(default_factory=dict)
    complete: bool = True


@dataclass(frozen=True, slots=True)
class ScreenAbsent:
    """There is no answer. `why` is a word of ours: metrics and records have it."""

    why: str


ScreenReply: TypeAlias = ScreenAnswer | ScreenAbsent
