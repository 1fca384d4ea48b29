# SPDX-License-Identifier: Apache-2.0
"""What the prompt screen says about a text: signals of its layers, the places they are about, and a judgement.

MUST NOT hold text, not even a word of it: whatever is here may stand in a record, a log or an answer.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

# The text as it was given. Every other view has a name that says how it was come by, outermost first: `base64/rot13`.
RAW: Final = "raw"


class Origin(StrEnum):
    """Who a text is from: the words of a policy's field classes, so that each class is one origin.

    A person may quote an attack or ask about one. A tool's result, and whatever else a model is only given to read, has
    no orders to give.
    """

    USER = "user"
    SYSTEM = "system"
    DEVELOPER = "developer"
    TOOL_RESULT = "tool-result"
    TOOL_ARGUMENTS = "tool-arguments"
    TOOL_SCHEMA = "tool-schema"
    ASSISTANT_TEXT = "assistant-text"
    REASONING = "reasoning"
    REFUSAL = "refusal"
    TRANSCRIPT = "transcript"
    ERROR = "error"
    OTHER = "other"

    @property
    def orders(self) -> bool:
        """Whether giving the model orders is what such a text is for."""
        return self in {Origin.SYSTEM, Origin.DEVELOPER}

    @property
    def is_given(self) -> bool:
        """Whether the model is only given such a text to read: nobody who writes there has orders to give."""
        return self in {Origin.TOOL_RESULT, Origin.TOOL_ARGUMENTS, Origin.TOOL_SCHEMA, Origin.TRANSCRIPT, Origin.ERROR}


class Layer(StrEnum):
    RULES = "rules"
    STRUCTURE = "structure"
    CLASSIFIER = "classifier"


class Label(StrEnum):
    INJECTION = "injection"
    BENIGN = "benign"


def _is_score(value: float) -> bool:
    return 0 <= value <= 1  # not of NaN either


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """What one layer noticed. `name` is stable within its layer; `version` is that of the layer that gave it.

    `score` is how much it weighs by itself, from 0 to 1. Raises ValueError for another.
    """

    layer: Layer
    name: str
    version: str
    score: float

    def __post_init__(self) -> None:
        if not _is_score(self.score):
            raise ValueError(f"the score of {self.name} is {self.score}: give one from 0 to 1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """`text[start:end]` of the text as it was given, in code points, read as `view`, and how it scored there."""

    start: int
    end: int
    view: str
    score: float

    def __post_init__(self) -> None:
        if not (0 <= self.start <= self.end and _is_score(self.score)):
            raise ValueError(f"a window from {self.start} to {self.end} with score {self.score} is none")


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What the screen makes of a text: `score` is the probability of an injection, and `label` what `threshold` says.

    Unless `complete`, a budget or a deadline ended before all of the text was examined: what was not may hold anything.
    """

    score: float
    threshold: float
    signals: tuple[Signal, ...] = ()
    windows: tuple[Window, ...] = ()
    complete: bool = True
    label: Label = field(init=False)

    def __post_init__(self) -> None:
        if not (_is_score(self.score) and _is_score(self.threshold)):
            raise ValueError(f"a score of {self.score} at a threshold of {self.threshold} is none: give 0 to 1")
        object.__setattr__(self, "label", Label.INJECTION if self.score >= self.threshold else Label.BENIGN)
