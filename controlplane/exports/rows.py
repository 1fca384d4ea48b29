# SPDX-License-Identifier: Apache-2.0
"""What every format is made from: a decision, and a reader of its envelope that expects anything.

Facts: ingestion vouches for the members that decisions are found by; of `findings`, `http`, `coverage` and `latency_us`
it knows only that they are JSON. A source that lies must not stop an export, so that a member of another type than the
specification says reads as not there. NDJSON has the envelope as it is.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import orjson

# What columns of 64 bits take; JSON has no bounds.
_INTEGERS: Final = range(-(2**63), 2**63)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportRow:
    """One decision: the envelope of its terminal record, of its admission record while there is none.

    `log_index` and `received_at` are of that record, `first_index` of the decision's first. `subject` and `input` (as
    JSON in ASCII) are from the erasable payload: None where it was erased, or where nobody asked for them.
    """

    log_index: int
    first_index: int
    received_at: datetime
    envelope: bytes
    subject: str | None = None
    input: str | None = None
    read: "EnvelopeReader" = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "read", EnvelopeReader(json.loads(self.envelope)))


@dataclass(frozen=True, slots=True)
class EnvelopeReader:
    """Members of an envelope by their path; None where there is none of the type asked for."""

    envelope: Any

    def text(self, *path: str) -> str | None:
        found = self._at(path)
        return found if isinstance(found, str) else None

    def number(self, *path: str) -> int | None:
        found = self._at(path)
        return found if type(found) is int and found in _INTEGERS else None

    def flag(self, *path: str) -> bool | None:
        found = self._at(path)
        return found if isinstance(found, bool) else None

    def each(self, *path: str) -> Iterator["EnvelopeReader"]:
        """Yield the items of a list, as readers."""
        found = self._at(path)
        if isinstance(found, list):
            yield from map(EnvelopeReader, found)

    def texts(self, *path: str) -> list[str]:
        """Return those items of a list that are texts."""
        return [item.envelope for item in self.each(*path) if isinstance(item.envelope, str)]

    def _at(self, path: tuple[str, ...]) -> Any:
        found = self.envelope
        for name in path:
            found = found.get(name) if isinstance(found, dict) else None
        return found


def content_of(payload: bytes | None) -> tuple[str | None, str | None]:
    """Return subject and input of a payload, each None where there is none that can be read.

    Ingestion vouches for a payload's digest only, so that it may hold anything; what is returned is valid Unicode.
    """
    try:
        read = orjson.loads(payload or b"{}")
        given = read.get("input")
        shown = None if given is None else json.dumps(given, sort_keys=True, separators=(",", ":"))
    except (ValueError, AttributeError, RecursionError):
        return None, None
    match read.get("subject"):
        case {"type": str() as kind, "id": str() as name}:
            return f"{kind}:{name}", shown
        case _:
            return None, shown


def reason_codes(row: ExportRow) -> list[str]:
    return _distinct(reason.text("code") for reason in row.read.each("reasons"))


def policies_of(row: ExportRow) -> list[str]:
    """Return the policies that took part: gave an answer that applied, a reason, or a finding; in that order."""
    named = (one.text("policy") for member in ("reasons", "findings") for one in row.read.each(member))
    answers = (answer for engine in row.read.each("engines") for answer in engine.each("answers"))
    answered = (answer.text("policy") for answer in answers if answer.text("outcome") != "not_applicable")
    return _distinct([*answered, *named])


def rules_of(row: ExportRow) -> list[str]:
    """Return the rules that gave a reason or a finding, each as `POLICY/RULE`."""
    named = [one for member in ("reasons", "findings") for one in row.read.each(member)]
    return _distinct(f"{one.text('policy') or ''}/{rule}" for one in named if (rule := one.text("rule")))


def model_of(row: ExportRow) -> str | None:
    """Return the model asked for; None where the request was for another kind of thing."""
    return row.read.text("resource", "id") if row.read.text("resource", "type") == "model" else None


def _distinct(names: Iterable[str | None]) -> list[str]:
    return list(dict.fromkeys(name for name in names if name))
