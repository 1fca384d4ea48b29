# SPDX-License-Identifier: Apache-2.0
"""From the bytes of a body to what policy may know of it, and to the bytes that are forwarded."""

from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

from policies.contracts.request import RequestFacts
from policies.contracts.snapshot import Dialect, Route
from proxy_addons.core.chat_request import read_chat
from proxy_addons.core.completions_request import read_completions
from proxy_addons.core.embeddings_request import read_embeddings
from proxy_addons.core.firewall import Headers, check_media_type, form_boundary
from proxy_addons.core.openai_request import ReadRequest
from proxy_addons.core.refused import Refused
from proxy_addons.core.responses_request import read_responses
from proxy_addons.core.strict_json import NotStrictJson, canonical, read_object
from proxy_addons.core.transcription_request import read_transcription
from proxy_addons.core.unknown_fields import Reading

_Reader: TypeAlias = Callable[..., tuple[str, RequestFacts]]

# Supporting a dialect is one line here. A route of a dialect without a reader takes no body.
_READERS: Final[Mapping[Dialect, _Reader]] = {
    Dialect.CHAT: read_chat,
    Dialect.COMPLETIONS: read_completions,
    Dialect.RESPONSES: read_responses,
    Dialect.EMBEDDINGS: read_embeddings,
}


def takes_body(dialect: Dialect) -> bool:
    return dialect in _READERS or dialect is Dialect.TRANSCRIPTIONS


def check_content_type(headers: Headers, dialect: Dialect) -> None:
    """Raise Refused unless the body is said to be of the media type that `dialect` is read from."""
    if dialect is Dialect.TRANSCRIPTIONS:
        form_boundary(headers)
    else:
        check_media_type(headers)


def read_body(body: bytes, route: Route, headers: Headers = ()) -> ReadRequest:
    """Return what `body` asks for. Raises Refused where it is not strict, or has fields that the route does not take.

    `ReadRequest.body` is the examined value written again: the upstream's parser gets one spelling of it, so it cannot
    read anything else than what was decided on.
    """
    if route.dialect is Dialect.TRANSCRIPTIONS:
        return read_transcription(body, form_boundary(headers), route)
    try:
        value, is_canonical = read_object(body)
    except NotStrictJson:
        raise Refused("body-not-json") from None
    reading = Reading(route)
    model, facts = _READERS[route.dialect](value, reading, body_bytes=len(body))
    return ReadRequest(
        model=model,
        facts=facts,
        body=body if is_canonical and not reading.stripped else canonical(value),
        stripped=reading.stripped,
        uncovered=tuple(sorted(reading.uncovered)) if reading.uncovered else (),
        value=value,
    )
