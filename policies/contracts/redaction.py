# SPDX-License-Identifier: Apache-2.0
"""What a redaction policy says once it is compiled: which rules, with which detectors of its own, under which terms.

Theory: a rule is detectors × action × selector. A selector that is empty selects everything, but for `directions`:
a rule that names none is for answers, which is all that rules were for before there were directions. Where several
rules would act on one detector in one class of fields, the severest action decides, then the order of the policies,
then that of the rules.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, Self

from policies.contracts.decision import Mode
from policies.contracts.members import ADDED, members


class RedactionAction(StrEnum):
    """What is done about a finding; the severest first, and where rules disagree the severest is done.

    BLOCK refuses the whole, or cuts a stream that has begun. CUT ends a stream with a typed event, and refuses what is
    no stream. HASH writes a keyed hash, which is the same for the same value within a tenant. ANNOTATE changes nothing
    and leaves a remark.
    """

    BLOCK = "block"
    CUT = "cut"
    REMOVE = "remove"
    REPLACE = "replace"
    HASH = "hash"
    MASK = "mask"
    ANNOTATE = "annotate"


# The higher, the severer.
SEVERITY: Final = {action: rank for rank, action in enumerate(reversed(RedactionAction))}


class Direction(StrEnum):
    REQUEST = "request"
    ANSWER = "answer"


class FieldClass(StrEnum):
    """What part of a request or an answer a text is. OTHER is whatever has no class: names, ids and the like."""

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


class Strictness(StrEnum):
    """Whether a value of the right shape, in strong context and with a wrong check digit, is a finding (LENIENT)."""

    LENIENT = "lenient"
    STRICT = "strict"


class AtBound(StrEnum):
    """What happens where more would have to be held than policy lets wait. Nothing unexamined leaves either way.

    CUT ends the stream as a finding of action `cut` does. REDACT takes what is held for a finding and replaces it.
    """

    CUT = "cut"
    REDACT = "redact"


class OverBudget(StrEnum):
    """What happens where a text has more to decode than policy lets a scan cost.

    BLOCK and CUT as the actions of those names. ANNOTATE goes on, and the record says what was not scanned.
    """

    BLOCK = "block"
    CUT = "cut"
    ANNOTATE = "annotate"


class EmbeddingInputs(StrEnum):
    """What becomes of an input to embed that a rule would change: it has no reader who would see that it was changed.

    BLOCK refuses the request. ALLOW forwards it as it came, with a remark. REDACT changes it and says so in a header of
    the answer.
    """

    BLOCK = "block"
    REDACT = "redact"
    ALLOW = "allow"


class LogProbabilities(StrEnum):
    """What becomes of log probabilities, which spell the text out once more: REFUSE the parameter, or DROP them."""

    REFUSE = "refuse"
    DROP = "drop"


@dataclass(frozen=True, slots=True, kw_only=True)
class RedactionRule:
    """What is done about the findings of some detectors in some fields.

    `detectors` are names of detectors, of groups of them, of custom detectors and literal lists of the same policy, or
    `all`. `subjects`, `models` and `operations` narrow those of the policy. `keep_last` characters stay where the
    action is MASK. `reversible`: what REPLACE took from a request is put back where the answer has its placeholder.
    """

    id: str
    detectors: tuple[str, ...]
    action: RedactionAction
    keep_last: int = field(default=0, metadata=ADDED)
    directions: tuple[Direction, ...] = field(default=(Direction.ANSWER,), metadata=ADDED)
    fields: tuple[FieldClass, ...] = field(default=(), metadata=ADDED)
    subjects: tuple[str, ...] = field(default=(), metadata=ADDED)
    models: tuple[str, ...] = field(default=(), metadata=ADDED)
    operations: tuple[str, ...] = field(default=(), metadata=ADDED)
    strictness: Strictness = field(default=Strictness.LENIENT, metadata=ADDED)
    reversible: bool = field(default=False, metadata=ADDED)


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomPattern:
    """A pattern of a policy's author, as `policies.detectors.contract.Pattern` has them. `alone` None: the default."""

    expression: str
    alone: str | None = field(default=None, metadata=ADDED)
    ignore_case: bool = field(default=False, metadata=ADDED)


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomDetector:
    """A detector of a policy's author. Its samples were tried when it was compiled, and are not carried about.

    `validator` is a name of `policies.detectors.validators`. `context` are words of which one, directly before a value,
    raises its score to certainty; with `needs_context` there is no finding without. `score_percent` is the score of
    what has none.
    """

    id: str
    kind: str
    patterns: tuple[CustomPattern, ...]
    validator: str | None = field(default=None, metadata=ADDED)
    context: tuple[str, ...] = field(default=(), metadata=ADDED)
    needs_context: bool = field(default=False, metadata=ADDED)
    score_percent: int = field(default=100, metadata=ADDED)


@dataclass(frozen=True, slots=True, kw_only=True)
class LiteralList:
    """Texts to be found as they stand: known secrets, names of customers, canaries. `alone` as in CustomPattern.

    `disguised`: also reversed, and spelled out with one separator between each two characters.
    """

    id: str
    kind: str
    values: tuple[str, ...]
    alone: str | None = field(default=None, metadata=ADDED)
    ignore_case: bool = field(default=False, metadata=ADDED)
    disguised: bool = field(default=False, metadata=ADDED)


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldBounds:
    """How much of one text of a stream may wait for what follows, and how long. `max_ms` None: as long as it takes."""

    max_bytes: int = field(default=16_384, metadata=ADDED)
    max_ms: int | None = field(default=None, metadata=ADDED)
    at_bound: AtBound = field(default=AtBound.CUT, metadata=ADDED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoding:
    """How deep encoded content is decoded to be scanned, and how many bytes that may give for one text."""

    depth: int = field(default=3, metadata=ADDED)
    max_bytes: int = field(default=8_388_608, metadata=ADDED)
    over_budget: OverBudget = field(default=OverBudget.BLOCK, metadata=ADDED)


@dataclass(frozen=True, slots=True, kw_only=True)
class RedactionPolicy:
    """Rules, what they may name, and the terms under which they look.

    `operations`, `models` and `subjects` select; empty selects all. Subjects are as in Grant.
    """

    id: str
    version: str
    mode: Mode
    operations: tuple[str, ...]
    models: tuple[str, ...]
    rules: tuple[RedactionRule, ...]
    subjects: tuple[str, ...] = field(default=(), metadata=ADDED)
    detectors: tuple[CustomDetector, ...] = field(default=(), metadata=ADDED)
    literals: tuple[LiteralList, ...] = field(default=(), metadata=ADDED)
    hold: HoldBounds = field(default=HoldBounds(), metadata=ADDED)
    decoding: Decoding = field(default=Decoding(), metadata=ADDED)
    embeddings: EmbeddingInputs = field(default=EmbeddingInputs.BLOCK, metadata=ADDED)
    log_probabilities: LogProbabilities = field(default=LogProbabilities.DROP, metadata=ADDED)

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> Self:
        """Read what `members.plain` gave. Raises ValueError for an unknown or missing member or a bad value."""
        hold, decoding = raw.get("hold", {}), raw.get("decoding", {})
        return cls(
            **members(cls, raw)
            | {
                "mode": Mode(raw["mode"]),
                "rules": tuple(map(_rule, raw["rules"])),
                "detectors": tuple(map(_custom_detector, raw.get("detectors", ()))),
                "literals": tuple(LiteralList(**members(LiteralList, each)) for each in raw.get("literals", ())),
                "hold": HoldBounds(
                    **members(HoldBounds, hold) | {"at_bound": AtBound(hold.get("at_bound", AtBound.CUT))},
                ),
                "decoding": Decoding(
                    **members(Decoding, decoding)
                    | {"over_budget": OverBudget(decoding.get("over_budget", OverBudget.BLOCK))},
                ),
                "embeddings": EmbeddingInputs(raw.get("embeddings", EmbeddingInputs.BLOCK)),
                "log_probabilities": LogProbabilities(raw.get("log_probabilities", LogProbabilities.DROP)),
            },
        )


def _rule(raw: Mapping[str, Any]) -> RedactionRule:
    return RedactionRule(
        **members(RedactionRule, raw)
        | {
            "action": RedactionAction(raw["action"]),
            "directions": tuple(map(Direction, raw.get("directions", (Direction.ANSWER,)))),
            "fields": tuple(map(FieldClass, raw.get("fields", ()))),
            "strictness": Strictness(raw.get("strictness", Strictness.LENIENT)),
        },
    )


def _custom_detector(raw: Mapping[str, Any]) -> CustomDetector:
    patterns = tuple(CustomPattern(**members(CustomPattern, each)) for each in raw["patterns"])
    return CustomDetector(**members(CustomDetector, raw) | {"patterns": patterns})
