# SPDX-License-Identifier: Apache-2.0
"""How records are kept, and how much of what was said is kept with them: policies of the kind `logging`.

Theory: a policy that leaves something out says nothing about it, so that several of them can be written for several
concerns. Where two say different things about one request, the stricter holds: of `records` what loses none, of
content what keeps less, of bytes the fewer. Where none says anything, every record is durable before an answer leaves
and no content is kept.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, Self, TypeVar

from policies.contracts.members import members

# Of the texts of a prompt, and again of those of an answer, in UTF-8. Together, sealed and in base64, they fit into a
# line of the spool.
USUAL_BYTES: Final = 65_536
MOST_BYTES: Final = 262_144


class RecordsMode(StrEnum):
    """What becomes of a request whose record cannot be written: the strictest first.

    STRICT: it is refused, so that nothing leaves unrecorded. BEST_EFFORT: it goes on, and the loss is counted and
    recorded later.
    """

    STRICT = "strict"
    BEST_EFFORT = "best-effort"


class ContentMode(StrEnum):
    """What is kept of texts: what keeps the least first.

    HASHED: a keyed hash, by which one who has the text can find it. SEALED: that, and the text encrypted.
    """

    NONE = "none"
    HASHED = "hashed"
    SEALED = "sealed"


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggingPolicy:
    """What one policy says of the requests it selects; None: nothing. Selectors are as in RedactionPolicy."""

    id: str
    version: str
    records: RecordsMode | None
    prompts: ContentMode | None
    answers: ContentMode | None
    max_bytes: int | None
    operations: tuple[str, ...]
    models: tuple[str, ...]
    subjects: tuple[str, ...]

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> Self:
        """Read one as a snapshot has it. Raises ValueError."""
        given = members(cls, raw)
        lists = {name: tuple(raw[name]) for name in ("operations", "models", "subjects")}
        most = raw["max_bytes"]
        if most is not None and (type(most) is not int or not 0 < most <= MOST_BYTES):
            msg = f"max_bytes is {most!r}, not 1 to {MOST_BYTES}"
            raise ValueError(msg)
        chosen = {
            "records": None if raw["records"] is None else RecordsMode(raw["records"]),
            "prompts": None if raw["prompts"] is None else ContentMode(raw["prompts"]),
            "answers": None if raw["answers"] is None else ContentMode(raw["answers"]),
        }
        return cls(**given | lists | chosen)


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingTerms:
    """What holds for one request."""

    records: RecordsMode = RecordsMode.STRICT
    prompts: ContentMode = ContentMode.NONE
    answers: ContentMode = ContentMode.NONE
    max_bytes: int = USUAL_BYTES

    @property
    def keeps_content(self) -> bool:
        return self.prompts is not ContentMode.NONE or self.answers is not ContentMode.NONE


# Where no policy says anything.
USUAL_TERMS: Final = RecordingTerms()

_Mode = TypeVar("_Mode", RecordsMode, ContentMode)


def united(policies: Iterable[LoggingPolicy]) -> RecordingTerms:
    """Return what `policies`, all of which select one request, say together."""
    selected = tuple(policies)
    return RecordingTerms(
        records=strictest(RecordsMode, (policy.records for policy in selected)) or USUAL_TERMS.records,
        prompts=strictest(ContentMode, (policy.prompts for policy in selected)) or USUAL_TERMS.prompts,
        answers=strictest(ContentMode, (policy.answers for policy in selected)) or USUAL_TERMS.answers,
        max_bytes=min((each.max_bytes for each in selected if each.max_bytes is not None), default=USUAL_BYTES),
    )


def strictest(of: type[_Mode], stated: Iterable[_Mode | None]) -> _Mode | None:
    """Return the strictest of those `stated`; None where none is. The words of `of` are in this order."""
    said = frozenset(stated)
    return next((mode for mode in of if mode in said), None)
