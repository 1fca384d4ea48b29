# SPDX-License-Identifier: Apache-2.0
"""What an answer of the upstream is to the client, by status and type alone. Its text is never passed on unexamined.

Rules: 200 is examined. 429 stays a 429, so that clients wait. 401, 403 and 407 are the upstream's word on *our*
credential, which is no mistake of the client: 502. Other 4xx say that the request was refused: 400. 5xx: 502.
Everything else (redirects, other media types, compressed answers) could not be examined: 502 `upstream-invalid`.
"""

from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from proxy_addons.core.firewall import Headers, values_of

_OUR_CREDENTIAL: Final = frozenset(
    {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.PROXY_AUTHENTICATION_REQUIRED},
)
_MAX_RETRY_DIGITS: Final = 4

JSON_TYPE: Final = b"application/json"
STREAM_TYPE: Final = b"text/event-stream"


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """The answer is replaced by this refusal. `status` None: the one that belongs to the code."""

    code: str
    status: int | None = None
    retry_after_s: int | None = None


def failure_of(status: int, headers: Headers) -> Failed | None:
    """Return why an answer cannot be passed on whatever it says, or None where it is to be examined."""
    if status == HTTPStatus.OK:
        return None
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return Failed(code="upstream-error", status=status, retry_after_s=_retry_after_s(headers))
    if status in _OUR_CREDENTIAL or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return Failed(code="upstream-error")
    if status >= HTTPStatus.BAD_REQUEST:
        return Failed(code="upstream-refused")
    return Failed(code="upstream-invalid")


def media_type_of(headers: Headers) -> bytes | None:
    """Return the media type without its parameters, or None for none, several, or a compressed answer."""
    if any(value.strip().lower() != b"identity" for value in values_of(headers, b"content-encoding")):
        return None
    match values_of(headers, b"content-type"):
        case [value]:
            return value.partition(b";")[0].strip().lower()
    return None


def _retry_after_s(headers: Headers) -> int | None:
    match values_of(headers, b"retry-after"):
        case [value] if value.isdigit() and len(value) <= _MAX_RETRY_DIGITS:
            return int(value)
    return None
