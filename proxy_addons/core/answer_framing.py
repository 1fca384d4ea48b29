# SPDX-License-Identifier: Apache-2.0
"""HTTP/1.1 answers from the upstream's bytes, without I/O. Whatever is ambiguous is invalid: it could not be examined.

Rules: llhttp parses. One parser reads the answer to one request; bytes after its end make the connection unusable.
Interim answers (1xx) are skipped, a switch of protocols is invalid.
"""

from dataclasses import dataclass
from typing import Final, NamedTuple, TypeAlias

import httptools

from proxy_addons.core.framing import Fields

MAX_HEAD_BYTES: Final = 64 * 1024  # an inference server's head has a few hundred bytes; beyond this it is broken
MAX_FIELDS: Final = 200
MAX_INTERIM: Final = 8
_BODILESS: Final = frozenset({204, 304})
_FIRST_FINAL_STATUS: Final = 200


class AnswerHead(NamedTuple):
    status: int
    fields: Fields


@dataclass(frozen=True, slots=True)
class AnswerEnd:
    pass


# The bytes are a piece of the body.
AnswerEvent: TypeAlias = AnswerHead | bytes | AnswerEnd


class AnswerInvalid(Exception):
    """The upstream's bytes are not one unambiguous HTTP/1.1 answer."""


class AnswerParser:
    """The answer to one request; `to_head_request` says that the request was HEAD, so that no body follows."""

    def __init__(self, *, to_head_request: bool) -> None:
        self._to_head_request = to_head_request
        self._parser = httptools.HttpResponseParser(self)
        self._events: list[AnswerEvent] = []
        self._fields: list[tuple[bytes, bytes]] = []
        self._head_bytes = 0
        self._head_seen = False
        self._interim_count = 0
        self._ended = False
        self._until_close = False
        self._invalid = False
        self._reusable = False

    @property
    def reusable(self) -> bool:
        """The connection may carry another request."""
        return self._ended and self._reusable

    @property
    def ended(self) -> bool:
        return self._ended

    def receive(self, chunk: bytes) -> list[AnswerEvent]:
        """Return what `chunk` completes. Raises AnswerInvalid."""
        if self._ended:
            self._reusable = False
            return []
        if not self._head_seen:
            self._head_bytes += len(chunk)
        try:
            self._parser.feed_data(chunk)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as exc:
            if not self.ended:
                raise AnswerInvalid from exc
            self._reusable = False
        if self._invalid or (not self._head_seen and self._head_bytes > MAX_HEAD_BYTES):
            raise AnswerInvalid
        if self.ended:
            del self._parser  # it calls us, we call it: nothing else would end that but the garbage collector
        return self._take_events()

    def close(self) -> list[AnswerEvent]:
        """Return what the end of the connection completes. Raises AnswerInvalid for an answer cut short."""
        if self._until_close and not self._ended:
            self._ended = True
            return [AnswerEnd()]
        if not self._ended:
            raise AnswerInvalid
        return []

    def _take_events(self) -> list[AnswerEvent]:
        events, self._events = self._events, []
        return events

    # What llhttp calls while it parses. They record and never raise: llhttp would hide the exception's type.

    def on_message_begin(self) -> None:
        if self._ended:
            self._reusable = False

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._ended:
            return
        if self._head_seen or len(self._fields) >= MAX_FIELDS:
            self._invalid = True  # a trailer field, or too many
            return
        self._fields.append((name.lower(), value.strip(b" \t")))

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if self._ended or status < _FIRST_FINAL_STATUS:
            return
        version = self._parser.get_http_version()
        codings = [value.lower() for name, value in self._fields if name == b"transfer-encoding"]
        lengths = [value for name, value in self._fields if name == b"content-length"]
        chunked = codings == [b"chunked"]
        if version not in ("1.0", "1.1") or (codings and (not chunked or lengths or version == "1.0")):
            self._invalid = True
            return
        self._head_seen = True
        self._until_close = not chunked and not lengths and status not in _BODILESS
        self._reusable = self._parser.should_keep_alive() and not self._until_close
        self._events.append(AnswerHead(status, tuple(self._fields)))
        if self._to_head_request:
            # llhttp does not know that no body follows; the connection is given up instead of guessed about.
            self._reusable = False
            self._end()

    def on_body(self, content: bytes) -> None:
        if not self._ended and not self._invalid:
            self._events.append(content)

    def on_message_complete(self) -> None:
        if self._ended or self._invalid:
            return
        if not self._head_seen:
            self._fields.clear()
            self._interim_count += 1
            self._invalid = self._interim_count > MAX_INTERIM or self._parser.get_status_code() == 101  # noqa: PLR2004  # Switching Protocols
            return
        self._end()

    def _end(self) -> None:
        self._ended = True
        self._events.append(AnswerEnd())
