# SPDX-License-Identifier: Apache-2.0
"""Reads the body of an OpenAI embeddings request. An input is text: token ids are refused, as in a prompt."""

from collections.abc import Mapping
from typing import Any, Final

from policies.contracts.request import RequestFacts
from proxy_addons.core.openai_request import MODEL, USER
from proxy_addons.core.request_fields import array, either, integer, nullable, one_of, record, text
from proxy_addons.core.unknown_fields import Reading

_MAX_INPUTS: Final = 2048
MAX_DIMENSIONS: Final = 65_536

_BODY: Final = record(
    {"model": MODEL, "input": either(text, array(text, least=1, most=_MAX_INPUTS))},
    {
        "dimensions": nullable(integer(1, MAX_DIMENSIONS)),
        "encoding_format": nullable(one_of("float", "base64")),
        "user": USER,
    },
)


def read_embeddings(body: Mapping[str, Any], reading: Reading, *, body_bytes: int) -> tuple[str, RequestFacts]:
    """Return model and facts of an embeddings request. Raises Refused where a field is unknown or not of its type."""
    _BODY(body, reading)
    given = body["input"]
    inputs = [given] if isinstance(given, str) else given
    facts = RequestFacts(text_chars=sum(map(len, inputs)) + reading.passed_chars, body_bytes=body_bytes)
    return body["model"], facts
