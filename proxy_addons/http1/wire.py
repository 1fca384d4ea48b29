# SPDX-License-Identifier: Apache-2.0
"""The bytes we write: requests to the upstream and answers to the client, each from an allow-list of header fields."""

import re
import time
from email.utils import formatdate
from http import HTTPStatus
from typing import Final

from mitmproxy import http

from proxy_addons.core.firewall import CLIENT_REQUEST_ID, trace_id_of
from proxy_addons.core.framing import Fields
from proxy_addons.http1.origin import UpstreamOrigin

FIRST_BYTE: Final = b"H"  # of every answer
CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"
LAST_CHUNK: Final = b"0\r\n\r\n"

_USER_AGENT: Final = b"Gatehouse"
_NAME: Final = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_VALUE: Final = re.compile(rb"[\t\x20-\x7e\x80-\xff]*")
# Written by this module alone, whatever an addon put there; `server` would tell our software.
_OURS: Final = frozenset(
    {
        b"connection",
        b"content-length",
        b"date",
        b"keep-alive",
        b"server",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
        b"x-request-id",
    }
)
_BODILESS_METHODS: Final = frozenset({b"GET", b"HEAD"})
_BODILESS: Final = frozenset({HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED})
_REASONS: Final = {status.value: status.phrase.encode("ascii") for status in HTTPStatus}


class UnsafeField(ValueError):
    """A header field that must not be written: it would end its line."""


def upstream_request(request: http.Request, origin: UpstreamOrigin, request_id: str) -> bytes:
    """Return what the upstream is sent: nothing of the client's but method, path, body and four header fields."""
    content = request.data.content or b""
    given: dict[bytes, bytes] = {}
    for name, value in request.data.headers.fields:
        given.setdefault(name.lower(), value)
    fields = [(b"Host", origin.host_field), (b"User-Agent", _USER_AGENT), (b"Accept-Encoding", b"identity")]
    fields.append((b"Accept", given.get(b"accept", b"*/*")))
    fields.append((b"x-request-id", request_id.encode("ascii")))
    if client_request_id := given.get(CLIENT_REQUEST_ID):
        fields.append((CLIENT_REQUEST_ID, client_request_id))
    if b"traceparent" in given and trace_id_of(request.data.headers.fields) is not None:
        fields.append((b"traceparent", given[b"traceparent"]))
        if state := given.get(b"tracestate"):  # the addon that traces wrote it; the client's own is not in this head
            fields.append((b"tracestate", state))
    if origin.api_key:
        fields.append((b"Authorization", b"Bearer " + origin.api_key.encode("ascii")))
    if content or request.data.method not in _BODILESS_METHODS:
        if content:
            fields.append((b"Content-Type", given.get(b"content-type", b"application/json")))
        fields.append((b"Content-Length", b"%d" % len(content)))
    line = b"%s %s HTTP/1.1\r\n" % (request.data.method, request.data.path)
    return line + _lines(fields) + b"\r\n" + content


def answer_head(response: http.Response, framing: Fields, *, request_id: str, keep_alive: bool) -> bytes:
    """Return the head of an answer: the addons' fields, and ours for framing, date and request id."""
    status = response.status_code
    fields = [(name, value) for name, value in response.headers.fields if name.lower() not in _OURS]
    fields.append((b"x-request-id", request_id.encode("ascii")))
    fields.append((b"Date", _now()))
    fields.extend(framing)
    if not keep_alive:
        fields.append((b"Connection", b"close"))
    return b"HTTP/1.1 %d %s\r\n" % (status, _REASONS.get(status, b"")) + _lines(fields) + b"\r\n"


def whole_answer(response: http.Response, *, request_id: str, keep_alive: bool, to_head_request: bool) -> bytes:
    """Return head and body of an answer that is not streamed."""
    if response.status_code in _BODILESS:
        return answer_head(response, (), request_id=request_id, keep_alive=keep_alive)
    content = response.raw_content or b""
    framing = ((b"Content-Length", b"%d" % len(content)),)
    head = answer_head(response, framing, request_id=request_id, keep_alive=keep_alive)
    return head if to_head_request else head + content


def chunk(content: bytes) -> bytes:
    """Return `content` as one chunk; nothing for nothing, since an empty chunk would end the body."""
    return b"%x\r\n%s\r\n" % (len(content), content) if content else b""


_safe_names: set[bytes] = set()
_MAX_SAFE_NAMES: Final = 256  # addons write a dozen; more are checked each time


def _lines(fields: list[tuple[bytes, bytes]]) -> bytes:
    for name, _ in fields:
        if name not in _safe_names:
            if not _NAME.fullmatch(name):
                raise UnsafeField(name.decode("ascii", "replace"))
            if len(_safe_names) < _MAX_SAFE_NAMES:
                _safe_names.add(name)
    if not _VALUE.fullmatch(b"".join([value for _, value in fields])):
        raise UnsafeField(next(name for name, value in fields if not _VALUE.fullmatch(value)).decode("ascii"))
    return b"".join([b"%s: %s\r\n" % field for field in fields])


_date: tuple[int, bytes] = (0, b"")


def _now() -> bytes:
    """Return the date of this second, made once a second."""
    global _date  # noqa: PLW0603  # a cache of one entry
    second = int(time.time())
    if _date[0] != second:
        _date = (second, formatdate(second, usegmt=True).encode("ascii"))
    return _date[1]
