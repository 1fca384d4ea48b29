# SPDX-License-Identifier: Apache-2.0
"""Which methods and paths there are, and how the bodies of each are read."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Self

from policies.contracts.members import ADDED, members


class Dialect(StrEnum):
    """How the bodies of a route are read. A route without request body has one too: it says how the answer is read."""

    CHAT = "openai.chat"
    COMPLETIONS = "openai.completions"
    RESPONSES = "openai.responses"
    EMBEDDINGS = "openai.embeddings"
    TRANSCRIPTIONS = "openai.transcriptions"
    MODELS = "openai.models"


class UnknownFields(StrEnum):
    """What becomes of a member of a request body that the route's dialect does not know."""

    REFUSE = "refuse"
    STRIP = "strip"
    PASS = "pass"  # noqa: S105  # no password


class Encoding(StrEnum):
    """A content coding of request bodies that a route may decode."""

    GZIP = "gzip"
    DEFLATE = "deflate"


class Modality(StrEnum):
    """Content of a request that no detector reads: a route that lists it lets it pass without being looked at."""

    IMAGE = "image"
    AUDIO = "audio"


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One method and exact path that may be used, what it is called in policy, and how its bodies are read.

    `allow_fields` are names of unknown members that pass whatever `unknown_fields` says, and the only way for those
    that `proxy_addons.core.unknown_fields` calls dangerous.
    """

    id: str
    policy: str
    method: str
    path: str
    operation: str
    dialect: Dialect
    unknown_fields: UnknownFields = field(default=UnknownFields.REFUSE, metadata=ADDED)
    allow_fields: tuple[str, ...] = field(default=(), metadata=ADDED)
    encodings: tuple[Encoding, ...] = field(default=(), metadata=ADDED)
    allow_uncovered: tuple[Modality, ...] = field(default=(), metadata=ADDED)

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> Self:
        """Read one as a snapshot has it. Raises ValueError."""
        return cls(
            **members(cls, raw)
            | {
                "dialect": Dialect(raw["dialect"]),
                "unknown_fields": UnknownFields(raw.get("unknown_fields", UnknownFields.REFUSE)),
                "allow_fields": tuple(raw.get("allow_fields", ())),
                "encodings": tuple(map(Encoding, raw.get("encodings", ()))),
                "allow_uncovered": tuple(map(Modality, raw.get("allow_uncovered", ()))),
            },
        )
