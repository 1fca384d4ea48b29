# SPDX-License-Identifier: Apache-2.0
"""HTTP/1.1 requests from a client's bytes, without I/O: heads, body pieces, ends, or the reason code of a fault.

Rules: a head is read by two parsers, llhttp and the checks of this module, and is refused unless both accept it and
read the same fields. Lines are judged one after the other as they end, so a head is decided the same however its bytes
were cut. After a fault nothing more is read: where a message ends is no longer known.

Facts: what llhttp lets pass and is refused here: repeated Content-Length of one value, quoted chunk extensions,
trailers, several transfer codings, Upgrade, targets in absolute or asterisk form, fragments, a missing or odd Host,
heads without end.

Warning: `next_event` stops at the end of a message. Bytes of a pipelined request stay in the buffer until the caller
asks again; the caller bounds them by `pending_bytes`.
"""

import re
from dataclasses import dataclass
from enum import Enum, auto
from ipaddress import IPv6Address
from typing import Final, NamedTuple, TypeAlias

from proxy_addons.core.chunks import ChunkFault, ChunkReader
from proxy_addons.core.second_opinion import Disagrees, SecondOpinion

# Twice what browsers and SDKs send with a long JWT and trace headers; a head is held in memory before anyone is known.
MAX_HEAD_BYTES: Final = 16 * 1024
MAX_FIELDS: Final = 100

Fields: TypeAlias = tuple[tuple[bytes, bytes], ...]

_REQUEST_LINE: Final = re.compile(rb"([A-Z][A-Z-]{0,31}) ([^\x00-\x20\x7f]+) HTTP/([0-9])\.([0-9])\r\n")
_HTTP_0_9: Final = re.compile(rb"[A-Z]+ [^\x00-\x20\x7f]+\r\n")
_ORIGIN_FORM: Final = re.compile(rb"/[!-\x22\x24-~]*")  # printable ASCII without `#`
_PRINTABLE: Final = re.compile(rb"[!-~]+")
_FIELD_LINE: Final = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+:[\t\x20-\x7e\x80-\xff]*\r\n")
_WHOLE_HEAD: Final = re.compile(rb"[^\r\n]+\r\n(?:" + _FIELD_LINE.pattern + rb")*\r\n")
_CONTENT_LENGTH: Final = re.compile(rb"[0-9]{1,18}")
_HOST: Final = re.compile(rb"(?:[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,253})|\[([0-9A-Fa-f:.]{2,45})\])(?::([0-9]{1,5}))?")
_MAX_PORT: Final = 65535
_REFUSED_METHODS: Final = frozenset({b"CONNECT", b"TRACE"})


class RequestHead(NamedTuple):
    """A head both parsers agree on. `content_length` is None for a chunked body and 0 for no body."""

    method: bytes
    target: bytes
    version: bytes
    fields: Fields
    content_length: int | None
    keep_alive: bool
    expects_continue: bool


class BodyPiece(NamedTuple):
    content: bytes


@dataclass(frozen=True, slots=True)
class RequestEnd:
    pass


@dataclass(frozen=True, slots=True)
class Fault:
    """The bytes are not a request we take; `code` is one of `policies.contracts.reasons`."""

    code: str


_END: Final = RequestEnd()

RequestEvent: TypeAlias = RequestHead | BodyPiece | RequestEnd | Fault


class _Refused(Exception):
    def __init__(self, code: str) -> None:
        self.code = code


class _Stage(Enum):
    HEAD = auto()
    LENGTH = auto()
    CHUNKS = auto()
    FAILED = auto()


class RequestParser:
    """Requests of one connection, in order. Feed bytes with `receive`, take events with `next_event` until None."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._stage: _Stage
        self._start_head()

    @property
    def pending_bytes(self) -> int:
        return len(self._buffer)

    @property
    def between_requests(self) -> bool:
        """No byte of a next request has arrived."""
        return self._stage is _Stage.HEAD and not self._buffer

    def receive(self, chunk: bytes) -> None:
        if self._stage is not _Stage.FAILED:
            self._buffer += chunk

    def next_event(self) -> RequestEvent | None:
        """Return the next event, or None until more bytes arrive. A Fault is the last event."""
        try:
            match self._stage:
                case _Stage.HEAD:
                    return self._read_head()
                case _Stage.LENGTH:
                    return self._read_length()
                case _Stage.CHUNKS:
                    return self._read_chunks()
                case _Stage.FAILED:
                    return None
        except _Refused as refused:
            return self._fail(refused.code)
        except Disagrees:
            return self._fail("malformed-request")

    def _fail(self, code: str) -> Fault:
        self._stage = _Stage.FAILED
        self._buffer.clear()
        return Fault(code)

    def _start_head(self) -> None:
        self._stage = _Stage.HEAD
        self._line_at = 0
        self._searched = 0
        self._lines: list[bytes] = []

    def _read_head(self) -> RequestHead | None:
        if self._buffer and not ord("A") <= self._buffer[0] <= ord("Z"):
            # A TLS hello or a stray line break: no request line can follow, so nobody has to wait for a timeout.
            raise _Refused("malformed-request")
        if not self._searched and (head := self._whole_head()) is not None:
            return head
        while (end := self._buffer.find(b"\n", self._searched, MAX_HEAD_BYTES)) >= 0:
            line = bytes(self._buffer[self._line_at : end + 1])
            self._searched = self._line_at = end + 1
            if line == b"\r\n":
                return self._complete_head(bytes(self._buffer[: end + 1]))
            self._judge_line(line)
        self._searched = len(self._buffer)
        if len(self._buffer) >= MAX_HEAD_BYTES:
            raise _Refused("headers-too-large")
        return None

    def _whole_head(self) -> RequestHead | None:
        """Read a head that came in one piece, and whose lines are well-formed, as any other, but by one match.

        None: it did not, or they are not; which of them is wrong, and how, is found line by line.
        """
        end = self._buffer.find(b"\r\n\r\n", 0, MAX_HEAD_BYTES)
        if end < 0 or not _WHOLE_HEAD.fullmatch(self._buffer, 0, end + 4):
            return None
        raw = bytes(self._buffer[: end + 4])
        lines = raw[:-4].split(b"\r\n")
        if len(lines) > MAX_FIELDS + 1:
            return None
        _judge_request_line(lines[0] + b"\r\n")
        self._lines = lines
        return self._complete_head(raw)

    def _judge_line(self, line: bytes) -> None:
        if not line.endswith(b"\r\n"):
            raise _Refused("malformed-request")
        if not self._lines:
            _judge_request_line(line)
        elif not _FIELD_LINE.fullmatch(line):
            raise _Refused("malformed-request")
        if len(self._lines) > MAX_FIELDS:
            raise _Refused("headers-too-large")
        self._lines.append(line)

    def _complete_head(self, raw: bytes) -> RequestHead:
        if not self._lines:
            raise _Refused("malformed-request")
        method, target, version = self._lines[0].rstrip(b"\r\n").split(b" ")
        pairs = (line.split(b":", 1) for line in self._lines[1:])
        fields = tuple((name, value.strip(b" \t\r\n")) for name, value in pairs)
        head = _judge_fields(method, target, version, fields)
        self._second = SecondOpinion()
        self._second.feed(raw)
        if self._second.fields != fields or self._second.target != target:
            raise _Refused("malformed-request")
        del self._buffer[: len(raw)]
        if head.content_length is None:
            self._stage = _Stage.CHUNKS
            self._chunks = ChunkReader()
        else:
            self._stage = _Stage.LENGTH
            self._left = head.content_length
        return head

    def _read_length(self) -> BodyPiece | RequestEnd | None:
        if not self._left:
            self._start_head()
            return _END
        if not self._buffer:
            return None
        content = bytes(self._buffer[: self._left])
        del self._buffer[: len(content)]
        self._left -= len(content)
        return BodyPiece(content)

    def _read_chunks(self) -> BodyPiece | RequestEnd | None:
        try:
            step = self._chunks.read(self._buffer)
        except ChunkFault:
            raise _Refused("malformed-request") from None
        self._second.feed(bytes(self._buffer[: step.consumed]))
        del self._buffer[: step.consumed]
        if step.ended != self._second.complete:
            raise _Refused("ambiguous-framing")  # the two parsers end the message at different bytes
        if step.content:
            return BodyPiece(step.content)
        if step.ended:
            self._start_head()
            return _END
        return None


def _judge_request_line(line: bytes) -> None:
    found = _REQUEST_LINE.fullmatch(line)
    if found is None:
        raise _Refused("protocol-not-permitted" if _HTTP_0_9.fullmatch(line) else "malformed-request")
    method, target, major, minor = found.groups()
    if major != b"1" or minor not in (b"0", b"1") or method in _REFUSED_METHODS:
        raise _Refused("protocol-not-permitted")
    if not _ORIGIN_FORM.fullmatch(target):
        odd_bytes = not _PRINTABLE.fullmatch(target) or target.startswith(b"/")
        raise _Refused("malformed-request" if odd_bytes else "protocol-not-permitted")


def _judge_fields(method: bytes, target: bytes, version: bytes, fields: Fields) -> RequestHead:
    named: dict[bytes, list[bytes]] = {}
    for name, value in fields:
        named.setdefault(name.lower(), []).append(value)
    hosts = named.get(b"host", [])
    if len(hosts) != 1 or not _is_host(hosts[0]):
        raise _Refused("malformed-request")
    expectations = named.get(b"expect", [])
    if b"upgrade" in named:
        raise _Refused("protocol-not-permitted")
    if any(value.lower() != b"100-continue" for value in expectations):
        raise _Refused("expectation-failed")
    options = {option.strip().lower() for value in named.get(b"connection", []) for option in value.split(b",")}
    modern = version == b"HTTP/1.1"
    return RequestHead(
        method=method,
        target=target,
        version=version,
        fields=fields,
        content_length=_content_length(named, modern=modern),
        keep_alive=modern and b"close" not in options,
        expects_continue=modern and bool(expectations),
    )


def _is_host(value: bytes) -> bool:
    found = _HOST.fullmatch(value)
    if found is None:
        return False
    address, port = found.groups()
    return (port is None or int(port) <= _MAX_PORT) and (address is None or _is_ipv6(address))


def _is_ipv6(address: bytes) -> bool:
    try:
        IPv6Address(address.decode("ascii"))
    except ValueError:
        return False
    return True


def _content_length(named: dict[bytes, list[bytes]], *, modern: bool) -> int | None:
    lengths = named.get(b"content-length", [])
    codings = named.get(b"transfer-encoding", [])
    if codings:
        if lengths or codings != [b"chunked"] or not modern:
            raise _Refused("ambiguous-framing")
        return None
    if not lengths:
        return 0
    if len(lengths) != 1 or not _CONTENT_LENGTH.fullmatch(lengths[0]):
        raise _Refused("ambiguous-framing")
    return int(lengths[0])
