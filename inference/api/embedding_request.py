# SPDX-License-Identifier: Apache-2.0
"""What a client may ask of `/v1/embeddings`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from inference.api.errors import invalid, unsupported
from inference.api.fields import Fields, whole_text

MOST_TEXTS: Final = 2048  # as OpenAI has it
_KNOWN: Final = frozenset({"model", "input", "encoding_format", "dimensions", "user"})


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddingRequest:
    model: str
    texts: tuple[str, ...]
    base64: bool
    dimensions: int | None


def parse_embedding(members: Mapping[str, Any]) -> EmbeddingRequest:
    fields = Fields(members)
    fields.only(_KNOWN, neutral={})
    if fields.get("user") is not None:
        fields.text("user")
    encoding = fields.get("encoding_format")
    if encoding not in (None, "float", "base64"):
        raise invalid("encoding_format", "'encoding_format' must be 'float' or 'base64'.")
    return EmbeddingRequest(
        model=fields.text("model"),
        texts=_texts(fields.get("input")),
        base64=encoding == "base64",
        dimensions=fields.integer("dimensions", low=1),
    )


def require_dimensions(asked: int | None, own: int) -> None:
    """A vector is never cut: what is left of it would mean something only to models trained for that."""
    if asked is not None and asked != own:
        raise invalid("dimensions", f"This model's vectors have {own} dimensions.", code="unsupported_value")


def _texts(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list):
        return (_text(value, "input"),)
    if not 1 <= len(value) <= MOST_TEXTS:
        raise invalid("input", f"'input' takes 1 to {MOST_TEXTS} texts.")
    if all(isinstance(each, int | list) for each in value):
        # Numbers of tokens would smuggle the model's markers in, and mean nothing without its tokenizer.
        raise unsupported("input")
    return tuple(_text(each, f"input[{number}]") for number, each in enumerate(value))


def _text(value: Any, at: str) -> str:
    text = whole_text(value, at)
    if not text:
        raise invalid(at, f"'{at}' must not be empty.")
    return text
