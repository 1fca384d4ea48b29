# SPDX-License-Identifier: Apache-2.0
"""Cases 1 to 6 and 14 to 16: where a message begins and ends, and what its head may hold."""

from functools import partial
from typing import Final

from conformance.case import ANSWERED, Ask, Case, Raw, Upstream, chat, chunks, refused, row, rows_of

_CHUNKED: Final = b"Transfer-Encoding: chunked"
_AMBIGUOUS: Final = refused(400, "ambiguous-framing", "malformed-request", closes=True)
_MALFORMED: Final = refused(400, "malformed-request", "ambiguous-framing", closes=True)
_PROTOCOL: Final = refused(400, "protocol-not-permitted", "malformed-request", closes=True)
_SMUGGLED: Final = b"POST <PATH> HTTP/1.1\r\nHost: <HOST>\r\nX-Smuggled: ochre\r\nContent-Length: 0\r\n\r\n"
_NO_SMUGGLED: Final = Upstream(absent=(b"x-smuggled",))


def _framed(*lines: bytes, **changes: object) -> Ask:
    return Ask(framing=lines, **changes)  # type: ignore[arg-type]  # the fields of Ask by name


def _chunked(**changes: object) -> Ask:
    shape = changes.pop("shape", chunks)
    return Ask(framing=(_CHUNKED,), shape=shape, **changes)  # type: ignore[arg-type]  # as above


FRAMING_CASES: Final = (
    Case(
        number=1,
        title="Content-Length beside Transfer-Encoding is refused, and the connection ends",
        rows=(
            *rows_of(
                _AMBIGUOUS,
                {
                    "length first": _framed(b"Content-Length: 5", _CHUNKED, shape=chunks),
                    "coding first": _framed(_CHUNKED, b"Content-Length: 5", shape=chunks),
                    "length of zero": _framed(b"Content-Length: 0", _CHUNKED, shape=chunks),
                    "smuggled after the last chunk": _framed(
                        b"Content-Length: 5", _CHUNKED, shape=lambda body: chunks(body) + _SMUGGLED
                    ),
                    "names in capitals": _framed(b"CONTENT-LENGTH: 5", b"TRANSFER-ENCODING: CHUNKED", shape=chunks),
                },
                cuts=True,
            ),
            row("sibling: chunks alone", ANSWERED, _chunked(), cuts=True),
        ),
    ),
    Case(
        number=2,
        title="Two lengths that differ, or one that is no number, are refused, and the connection ends",
        rows=rows_of(
            _AMBIGUOUS,
            {
                "two that differ": _framed(b"Content-Length: 5", b"Content-Length: 500"),
                "a list": _framed(b"Content-Length: 5, 500"),
                "plus": _framed(b"Content-Length: +5"),
                "minus": _framed(b"Content-Length: -1"),
                "hexadecimal": _framed(b"Content-Length: 0x10"),
                "blank within": _framed(b"Content-Length: 1 0"),
                "empty": _framed(b"Content-Length:"),
                "beyond 64 bits": _framed(b"Content-Length: 18446744073709551617"),
                "an underscore": _framed(b"Content-Length: 1_0"),
                "digits of another script": _framed(b"Content-Length: \xd9\xa1\xd9\xa0"),
            },
            cuts=True,
        ),
    ),
    Case(
        number=3,
        title="A transfer coding that is not exactly `chunked` is refused",
        rows=rows_of(
            _AMBIGUOUS,
            {
                "xchunked": _framed(b"Transfer-Encoding: xchunked", shape=chunks),
                "identity": _framed(b"Transfer-Encoding: identity", shape=chunks),
                "chunked, identity": _framed(b"Transfer-Encoding: chunked, identity", shape=chunks),
                "identity, chunked": _framed(b"Transfer-Encoding: identity, chunked", shape=chunks),
                "gzip, chunked": _framed(b"Transfer-Encoding: gzip, chunked", shape=chunks),
                "chunked twice": _framed(_CHUNKED, _CHUNKED, shape=chunks),
                "quoted": _framed(b'Transfer-Encoding: "chunked"', shape=chunks),
                "vertical tab": _framed(b"Transfer-Encoding: \x0bchunked", shape=chunks),
                "folded": _framed(b"Transfer-Encoding:\r\n chunked", shape=chunks),
                "blank before the colon": _framed(b"Transfer-Encoding : chunked", shape=chunks),
                "in an old version": _chunked(line=b"POST <PATH> HTTP/1.0"),
                "empty": _framed(b"Transfer-Encoding:", shape=chunks),
            },
            cuts=True,
        ),
    ),
    Case(
        number=4,
        title="Bare line feeds, control characters in fields and blanks before a colon are refused",
        rows=rows_of(
            _MALFORMED,
            {
                "bare line feeds": Ask(line_end=b"\n"),
                "one bare line feed": Ask(fields=(b"X-A: b\nX-C: d",)),
                "bare carriage return": Ask(fields=(b"X-A: b\rX-C: d",)),
                "nul in a value": Ask(fields=(b"X-A: b\0c",)),
                "nul in a name": Ask(fields=(b"X\0A: b",)),
                "blank before the colon": Ask(fields=(b"X-A : b",)),
                "tab before the colon": Ask(fields=(b"X-A\t: b",)),
                "no colon": Ask(fields=(b"X-A",)),
                "no name": Ask(fields=(b": b",)),
                "folded field": Ask(fields=(b"X-A: b\r\n c",)),
                "blank before the first field": Ask(line=b"POST <PATH> HTTP/1.1\r\n X-A: b"),
                "escape character": Ask(fields=(b"X-A: \x1b[2J",)),
                "two blanks in the request line": Ask(line=b"POST  <PATH> HTTP/1.1"),
                "blank in the target": Ask(line=b"POST <PATH> x HTTP/1.1"),
                "tab in the request line": Ask(line=b"POST\t<PATH>\tHTTP/1.1"),
                "blank at the end of the request line": Ask(line=b"POST <PATH> HTTP/1.1 "),
                "lower-case method": Ask(line=b"post <PATH> HTTP/1.1"),
                "no method": Ask(line=b"<PATH> HTTP/1.1"),
            },
            cuts=True,
        ),
    ),
    Case(
        number=5,
        title="Chunk sizes are bounded and exact, and neither extensions nor trailers pass",
        rows=(
            *rows_of(
                _MALFORMED,
                {
                    "17 hexadecimal digits": _chunked(shape=lambda body: b"0" * 16 + chunks(body, size=5)),
                    "a size beyond 64 bits": _chunked(shape=lambda body: b"f" * 17 + b"\r\n" + body),
                    "prefix 0x": _chunked(shape=lambda body: b"0x" + chunks(body, size=5)),
                    "sign": _chunked(shape=lambda body: b"+" + chunks(body, size=5)),
                    "blank before the size": _chunked(shape=lambda body: b" " + chunks(body, size=5)),
                    "no size": _chunked(shape=lambda body: b"\r\n" + body + b"\r\n0\r\n\r\n"),
                    "bare line feed after the size": _chunked(
                        shape=lambda body: b"%x\n%s\r\n0\r\n\r\n" % (len(body), body)
                    ),
                    "content longer than its size": _chunked(
                        shape=lambda body: b"%x\r\n%s\r\n0\r\n\r\n" % (len(body) - 2, body)
                    ),
                    "line feed in an extension": _chunked(shape=partial(chunks, extension=b";a\nb")),
                    "carriage return in an extension": _chunked(shape=partial(chunks, extension=b";a\rb")),
                },
                cuts=True,
            ),
            *rows_of(
                _MALFORMED.or_answered(),
                {
                    "extension": _chunked(shape=partial(chunks, extension=b";ext=ochre")),
                    "quoted extension": _chunked(shape=partial(chunks, extension=b';ext="ochre\\""')),
                    "long extension": _chunked(shape=partial(chunks, extension=b";ext=ochre" + b"e" * 9000)),
                    "trailer with a credential": _chunked(
                        shape=partial(chunks, trailer=b"Authorization: Bearer ochre\r\n")
                    ),
                    "trailer with a length": _chunked(
                        shape=partial(chunks, trailer=b"Content-Length: 9\r\nX: ochre\r\n")
                    ),
                },
                cuts=True,
                upstream=Upstream(absent=(b"ochre",), present=(b"<MARK>",)),
            ),
        ),
    ),
    Case(
        number=6,
        title="A request within the body of another is body, and one behind it is answered in its turn",
        rows=(
            row(
                "request in a body",
                refused(400, "body-not-json"),
                Ask(body=_SMUGGLED),
                upstream=_NO_SMUGGLED,
                cuts=True,
            ),
            row(
                "request in a prompt",
                ANSWERED,
                Ask(body=chat(messages=[{"role": "user", "content": _SMUGGLED.decode() + "<MARK>"}])),
                cuts=True,
                upstream=Upstream(absent=(b"\r\nx-smuggled",), requests=1),
            ),
            row(
                "length that ends early",
                refused(400, "body-not-json", "malformed-request"),
                _framed(b"Content-Length: 3"),
                then=refused(400, "malformed-request", "body-not-json"),
                cuts=True,
            ),
            row(
                "two in a row",
                ANSWERED,
                Ask(),
                Ask(body=chat(messages=[{"role": "user", "content": "second-<MARK>"}])),
                then=ANSWERED.or_answered(200, present=(b"second-<MARK>",)),
                upstream=Upstream(requests=2),
                cuts=True,
            ),
            row(
                "a refused one before a good one",
                refused(400, "body-not-json"),
                Ask(body=b"{"),
                Ask(body=chat(messages=[{"role": "user", "content": "second-<MARK>"}])),
                then=ANSWERED.or_answered(200, present=(b"second-<MARK>",)),
                cuts=True,
            ),
        ),
    ),
    Case(
        number=14,
        title="HTTP/2 and its pseudo-fields, CONNECT and TRACE are refused",
        rows=(
            *rows_of(
                _PROTOCOL,
                {
                    "preface in clear": Raw(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0"),
                    "version 2.0": Ask(line=b"POST <PATH> HTTP/2.0"),
                    "version 1.2": Ask(line=b"POST <PATH> HTTP/1.2"),
                    "version 0.9": Raw(b"GET <PATH>\r\n"),
                    "pseudo-field": Ask(fields=(b":path: /metrics",)),
                    "pseudo-authority": Ask(fields=(b":authority: other.invalid",)),
                    "connect": Ask(line=b"CONNECT 127.0.0.1:22 HTTP/1.1", framing=(), body=b""),
                    "connect to the path": Ask(line=b"CONNECT <PATH> HTTP/1.1"),
                    "trace": Ask(line=b"TRACE <PATH> HTTP/1.1", framing=(), body=b""),
                    "asterisk": Ask(line=b"OPTIONS * HTTP/1.1", framing=(), body=b""),
                },
                cuts=True,
            ),
            row("http/2 by tls", ANSWERED, needs_tls=True, alpn=("h2", "http/1.1")),
        ),
    ),
    Case(
        number=15,
        title="A change of protocol is refused",
        rows=rows_of(
            refused(400, "protocol-not-permitted", closes=True),
            {
                "websocket": Ask(
                    line=b"GET <PATH> HTTP/1.1",
                    fields=(
                        b"Connection: Upgrade",
                        b"Upgrade: websocket",
                        b"Sec-WebSocket-Version: 13",
                        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
                    ),
                    framing=(),
                    body=b"",
                ),
                "h2c": Ask(
                    fields=(b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: AAMAAABk")
                ),
                "upgrade that connection does not name": Ask(fields=(b"Upgrade: h2c",)),
                "tls": Ask(fields=(b"Connection: Upgrade", b"Upgrade: TLS/1.2")),
            },
            cuts=True,
        ),
    ),
    Case(
        number=16,
        title="Fields that Connection names keep their meaning, and reach nobody behind",
        rows=(
            row(
                "connection names the credential",
                ANSWERED,
                Ask(fields=(b"Connection: Authorization, X-Ochre", b"X-Ochre: 1")),
                upstream=Upstream(absent=(b"x-ochre",)),
            ),
            row(
                "connection names the length",
                ANSWERED,
                Ask(fields=(b"Connection: Content-Length, Host",)),
                upstream=Upstream(present=(b"<MARK>", b"content-length")),
            ),
            row(
                "connection names the credential, and there is none",
                refused(401, "credentials-missing"),
                Ask(credential=(), fields=(b"Connection: Authorization",)),
            ),
            row(
                "proxy fields",
                ANSWERED.or_answered(200, present=(b"<MARK>",)),
                Ask(fields=(b"Keep-Alive: ochre", b"TE: trailers, ochre", b"Proxy-Connection: ochre")),
                upstream=Upstream(absent=(b"ochre",)),
            ),
        ),
    ),
)
