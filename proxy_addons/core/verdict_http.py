# SPDX-License-Identifier: Apache-2.0
"""Refusals as the client sees them: OpenAI-shaped JSON that depends on the reason code alone, never on content."""

import json
from http import HTTPStatus
from typing import Final, NamedTuple

from policies.contracts.reasons import REASONS

# What passes by itself: another worker may be free now, this one in a second.
_RETRY_AFTER_S: Final = {"draining": 1, "overloaded": 1}
_RETRY_LATER: Final = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE})


class Refusal(NamedTuple):
    """Status, header fields and body of a refusal."""

    status: int
    fields: tuple[tuple[bytes, bytes], ...]
    content: bytes


def refusal_of(
    code: str,
    request_id: str,
    *,
    message: str | None = None,
    status: int | None = None,
    retry_after_s: int | None = None,
) -> Refusal:
    """Return what a client is told for `code`.

    A code that a guard declared is not in REASONS: it needs `message`, and is told as a 403 unless `status` says else.
    """
    spec = REASONS.get(code)
    if spec is not None:
        told, error_type, text = status or spec.status, spec.error_type, message or spec.message
    else:
        told, error_type, text = status or HTTPStatus.FORBIDDEN, "permission_error", message or "Policy refused this."
    fields = [(b"Content-Type", b"application/json"), (b"x-request-id", request_id.encode("ascii"))]
    if told == HTTPStatus.UNAUTHORIZED:
        fields.append((b"WWW-Authenticate", b"Bearer"))
    retry_after_s = _RETRY_AFTER_S.get(code) if retry_after_s is None else retry_after_s
    if retry_after_s is not None and told in _RETRY_LATER:
        fields.append((b"Retry-After", str(retry_after_s).encode("ascii")))
    error = {"message": text, "type": error_type, "code": code, "param": None, "request_id": request_id}
    content = json.dumps({"error": error}, ensure_ascii=False, separators=(",", ":")).encode()
    return Refusal(int(told), tuple(fields), content)


def stream_error_event(code: str, request_id: str, *, message: str | None = None) -> bytes:
    """Return the server-sent event that tells `code` in the middle of a streamed answer."""
    return b"data: " + refusal_of(code, request_id, message=message).content + b"\n\n"


def typed_error_event(code: str, request_id: str, *, sequence_number: int, message: str | None = None) -> bytes:
    """Return the event that tells `code` in the middle of a stream of typed events.

    The dialect's error has its members beside its type; clients raise by the member `error`, as servers send it.
    """
    told = json.loads(refusal_of(code, request_id, message=message).content)
    error = told["error"]
    event = {"type": "error", "code": code, "message": error["message"], "param": None, **told}
    event["sequence_number"] = sequence_number
    written = json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode()
    return b"event: error\ndata: " + written + b"\n\n"
