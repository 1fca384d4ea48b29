# SPDX-License-Identifier: Apache-2.0
"""From the bytes of a body to what policy may know of it, and to the bytes that are forwarded."""

import json
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

from policies.contracts.request import RequestFacts
from policies.contracts.snapshot import Dialect
from proxy_addons.core.chat_request import read_chat
from proxy_addons.core.completions_request import read_completions
from proxy_addons.core.openai_request import ReadRequest
from proxy_addons.core.refused import Refused
from proxy_addons.core.strict_json import NotStrictJson, parse_object

_Reader: TypeAlias = Callable[..., tuple[str, RequestFacts]]

# Supporting a dialect is one line here. A route of a dialect without a reader takes no body.
_READERS: Final[Mapping[Dialect, _Reader]] = {
    Dialect.CHAT: read_chat,
    Dialect.COMPLETIONS: read_completions,
}


def takes_body(dialect: Dialect) -> bool:
    return dialect in _READERS


def read_body(body: bytes, dialect: Dialect) -> ReadRequest:
    """Return what `body` asks for. Raises Refused where it is not one strict JSON object of known fields.

    `ReadRequest.body` is the examined value written again: the upstream's parser gets one spelling of it, so it cannot
    read anything else than what was decided on.
    """
    try:
        value = parse_object(body)
    except NotStrictJson:
        raise Refused("body-not-json") from None
    model, facts = _READERS[dialect](value, body_bytes=len(body))
    return ReadRequest(model=model, facts=facts, body=_canonical(value))


def _canonical(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode("utf-8")
