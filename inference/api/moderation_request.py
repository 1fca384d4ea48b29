# SPDX-License-Identifier: Apache-2.0
"""What a client may ask of the prompt screen; `docs/spec/prompt-screen.md` describes it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from inference.api.errors import Refusal, RequestRefused, invalid, unsupported
from inference.api.fields import Fields, whole_text
from inference.screen.question import Input
from policies.screening.model import Origin

SCREEN_MODEL: Final = "gatehouse-screen"
MOST_INPUTS: Final = 2_048
DEADLINE_MS: Final = 10_000
LONGEST_DEADLINE_MS: Final = 60_000

_MEMBERS: Final = frozenset({"input", "model", "gatehouse"})
_OWN_MEMBERS: Final = frozenset({"origins", "joined", "deadline_ms"})
_PART_MEMBERS: Final = frozenset({"type", "text"})
_ORIGINS: Final = {str(origin): origin for origin in Origin}


@dataclass(frozen=True, slots=True, kw_only=True)
class ModerationRequest:
    """`one_message`: the inputs are parts of one message, and have one result between them."""

    inputs: tuple[Input, ...]
    one_message: bool
    joined: bool
    deadline_s: float


def parse_moderation(raw: Mapping[str, Any]) -> ModerationRequest:
    fields = Fields(raw)
    fields.only(_MEMBERS, neutral={})
    _require_model(fields)
    texts, one_message = _texts(fields.get("input"))
    own = _own(fields)
    origins = _origins(own, 1 if one_message else len(texts))
    if one_message:
        origins *= len(texts)
    return ModerationRequest(
        inputs=tuple(map(Input, texts, origins)),
        one_message=one_message,
        joined=own.flag("joined"),
        deadline_s=(own.integer("deadline_ms", low=1, high=LONGEST_DEADLINE_MS) or DEADLINE_MS) / 1000,
    )


def _require_model(fields: Fields) -> None:
    if fields.get("model") is not None and fields.text("model") != SCREEN_MODEL:
        raise RequestRefused(
            Refusal(
                status=404,
                message=f"Texts are screened by '{SCREEN_MODEL}': name it, or no model.",
                code="model_not_found",
                param="model",
            )
        )


def _texts(raw: Any) -> tuple[list[str], bool]:
    """The texts, and whether they are parts of one message."""
    if not isinstance(raw, list):
        return [whole_text(raw, "input")], False
    if not 1 <= len(raw) <= MOST_INPUTS:
        raise invalid("input", f"'input' must have 1 to {MOST_INPUTS} elements.")
    if isinstance(raw[0], dict):
        return [_part(part, f"input[{number}]") for number, part in enumerate(raw)], True
    return [whole_text(text, f"input[{number}]") for number, text in enumerate(raw)], False


def _part(raw: Any, at: str) -> str:
    if not isinstance(raw, dict):
        raise invalid(at, f"'{at}' must be a part, as the first is.", code="invalid_type")
    part = Fields(raw, at)
    if part.text("type") != "text":
        # Images and the like: what cannot be examined is not passed over.
        raise unsupported(part.path("type"))
    part.only(_PART_MEMBERS, neutral={})
    return part.text("text")


def _own(fields: Fields) -> Fields:
    raw = fields.get("gatehouse")
    if raw is not None and not isinstance(raw, dict):
        raise invalid("gatehouse", "'gatehouse' must be an object.", code="invalid_type")
    own = Fields(raw or {}, "gatehouse")
    own.only(_OWN_MEMBERS, neutral={})
    return own


def _origins(own: Fields, count: int) -> list[Origin]:
    raw = own.get("origins")
    if raw is None:
        return [Origin.USER] * count
    at = own.path("origins")
    if not isinstance(raw, list):
        raise invalid(at, f"'{at}' must be an array.", code="invalid_type")
    if len(raw) != count:
        raise invalid(at, f"'{at}' must have one element for each result: {count}.")
    return [_origin(name, f"{at}[{number}]") for number, name in enumerate(raw)]


def _origin(raw: Any, at: str) -> Origin:
    origin = _ORIGINS.get(whole_text(raw, at))
    if origin is None:
        raise invalid(at, f"'{at}' must be one of {', '.join(_ORIGINS)}.", code="unsupported_value")
    return origin
