# SPDX-License-Identifier: Apache-2.0
"""Cases 7 to 13: content codings, sizes, and time."""

import functools
import gzip
import zlib
from typing import Final

from conformance.case import ANSWERED, Ask, Case, Drip, Flood, Raw, Row, Upstream, Want, refused, row

_ENCODING: Final = Want(
    refused=frozenset({400, 413, 415}),
    codes=frozenset({"encoding-not-permitted", "body-too-large", "body-not-json"}),
)
_LATE: Final = refused(408, "request-timeout", closes=True)
# Longer than the deadlines of common gateways for a head (10 to 60 s) and between two pieces of a body (30 to 60 s).
_PATIENCE_S: Final = 75.0
_MIB: Final = 1024 * 1024


def _raw_deflate(body: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(body) + packer.flush()


@functools.cache
def _blanks() -> bytes:
    """Return 512 MiB of blanks in some 500 KB, made without holding them."""
    packer = zlib.compressobj(9, wbits=31)
    blanks = b" " * _MIB
    return b"".join([*(packer.compress(blanks) for _ in range(512)), packer.flush()])


def _bomb(_body: bytes) -> bytes:
    return _blanks()


def _encoded(slug: str, coding: bytes, shape: object, *, passes: bool) -> Row:
    want = _ENCODING.or_answered() if passes else _ENCODING
    ask = Ask(fields=(b"Content-Encoding: " + coding,), shape=shape)  # type: ignore[arg-type]  # a function of bytes
    return row(slug, want, ask, upstream=Upstream(absent=(b"content-encoding",), present=(b"<MARK>",)))


LIMIT_CASES: Final = (
    Case(
        number=7,
        title="A compressed body is examined in full or refused, and never passed on as it is",
        rows=(
            _encoded("gzip", b"gzip", gzip.compress, passes=True),
            _encoded("x-gzip", b"x-gzip", gzip.compress, passes=True),
            _encoded("gzip in capitals", b"GZIP", gzip.compress, passes=True),
            _encoded("gzip that is none", b"gzip", bytes, passes=False),
            _encoded("gzip cut short", b"gzip", lambda body: gzip.compress(body)[:-9], passes=False),
            _encoded("gzip with a second member", b"gzip", lambda b: gzip.compress(b) + gzip.compress(b), passes=False),
            _encoded("gzip with text behind it", b"gzip", lambda body: gzip.compress(body) + b"ochre", passes=False),
            row("gzip that nobody announces", refused(400, "body-not-json"), Ask(shape=gzip.compress)),
        ),
    ),
    Case(
        number=8,
        title="A body that unpacks to far more than it is, or is packed twice, is refused",
        rows=(
            _encoded("512 MiB in 500 KB", b"gzip", _bomb, passes=False),
            _encoded("gzip in gzip", b"gzip, gzip", lambda body: gzip.compress(gzip.compress(body)), passes=False),
            _encoded("three codings", b"gzip, gzip, br", lambda b: gzip.compress(gzip.compress(b)), passes=False),
            row(
                "two fields",
                _ENCODING,
                Ask(
                    fields=(b"Content-Encoding: gzip", b"Content-Encoding: gzip"),
                    shape=lambda body: gzip.compress(gzip.compress(body)),
                ),
            ),
        ),
    ),
    Case(
        number=9,
        title="Codings that are unknown or can be read in two ways are refused, or read in full",
        rows=(
            _encoded("zlib as deflate", b"deflate", zlib.compress, passes=True),
            _encoded("raw deflate", b"deflate", _raw_deflate, passes=True),
            _encoded("zstd", b"zstd", lambda body: b"\x28\xb5\x2f\xfd" + body, passes=False),
            _encoded("br", b"br", lambda body: b"\x0b" + body, passes=False),
            _encoded("compress", b"compress", bytes, passes=False),
            _encoded("unknown", b"x-foo", bytes, passes=False),
            _encoded("empty name in a list", b", gzip", gzip.compress, passes=False),
        ),
    ),
    Case(
        number=10,
        title="A client's Accept-Encoding does not make the upstream compress what must be examined",
        rows=tuple(
            row(
                name.decode(),
                ANSWERED,
                Ask(fields=(b"Accept-Encoding: " + name,)),
                upstream=Upstream(absent=(b"gzip", b"deflate", b"zstd", b"accept-encoding: br", b"accept-encoding: *")),
            )
            for name in (b"gzip", b"gzip, deflate, br, zstd", b"br", b"*")
        ),
    ),
    Case(
        number=11,
        title="A head or a body that does not arrive in time is given up",
        rows=(
            row("half a head", _LATE, Raw(b"POST <PATH> HTTP/1.1\r\nHost: <HOST>\r\nX: "), patience_s=_PATIENCE_S),
            row("fields that drip", _LATE, Raw(b"POST <PATH> HTTP/1.1\r\n"), Drip(b"X: y\r\n"), patience_s=_PATIENCE_S),
            row(
                "half a body",
                _LATE,
                Ask(framing=(b"Content-Length: 1000",)),
                patience_s=_PATIENCE_S,
            ),
            row(
                "half a chunk",
                _LATE,
                Ask(framing=(b"Transfer-Encoding: chunked",), shape=lambda body: b"ff\r\n" + body[:9]),
                patience_s=_PATIENCE_S,
            ),
        ),
    ),
    Case(
        number=12,
        title="A body over the limit is refused, wherever the excess is seen, and no part of it goes on",
        rows=(
            row(
                "on the head",
                refused(413, "body-too-large"),
                Ask(framing=(b"Content-Length: 99999999999",)),
            ),
            row(
                "in the chunks",
                refused(413, "body-too-large"),
                Ask(framing=(b"Transfer-Encoding: chunked",), shape=lambda _: b""),
                Flood(b"10000\r\n" + b" " * 65536 + b"\r\n", times=1024),
            ),
            row(
                "in many small chunks",
                Want(refused=frozenset({400, 413}), codes=frozenset({"body-too-large", "malformed-request"})),
                Ask(framing=(b"Transfer-Encoding: chunked",), shape=lambda _: b""),
                Flood(b"1\r\n \r\n" * 8192, times=1024),
            ),
            row(
                "in the head",
                Want(refused=frozenset({400, 431}), codes=frozenset({"headers-too-large"})),
                Ask(fields=(b"X: " + b"y" * 200_000,)),
            ),
            row(
                "in the number of fields",
                Want(refused=frozenset({400, 431}), codes=frozenset({"headers-too-large"})),
                Ask(fields=(b"X: y",) * 3000),
            ),
            row(
                "in the target",
                Want(
                    refused=frozenset({400, 414, 431}),
                    codes=frozenset({"headers-too-large", "path-not-canonical", "malformed-request"}),
                ),
                Ask(line=b"POST /" + b"a" * 100_000 + b" HTTP/1.1"),
            ),
        ),
    ),
    Case(
        number=13,
        title="Whoever asks before sending a body is answered from the head, and nothing goes on before the body",
        rows=(
            row(
                "size refused on the head",
                refused(413, "body-too-large"),
                Ask(fields=(b"Expect: 100-continue",), framing=(b"Content-Length: 99999999999",), shape=lambda _: b""),
            ),
            row(
                "identity refused on the head",
                refused(401, "credentials-missing"),
                Ask(
                    fields=(b"Expect: 100-continue",),
                    credential=(),
                    framing=(b"Content-Length: 100",),
                    shape=lambda _: b"",
                ),
            ),
            row(
                "route refused on the head",
                refused(404, "route-not-listed"),
                Ask(
                    line=b"POST /v1/nowhere HTTP/1.1",
                    fields=(b"Expect: 100-continue",),
                    framing=(b"Content-Length: 100",),
                    shape=lambda _: b"",
                ),
            ),
            row(
                "body that comes when asked for",
                ANSWERED,
                Ask(fields=(b"Expect: 100-continue",), awaits_continue=True),
            ),
            row(
                "body that never comes",
                _LATE,
                Ask(fields=(b"Expect: 100-continue",), framing=(b"Content-Length: 100",), shape=lambda _: b""),
                patience_s=_PATIENCE_S,
            ),
            row(
                "unknown expectation",
                Want(refused=frozenset({400, 417}), codes=frozenset({"expectation-failed", "protocol-not-permitted"})),
                Ask(fields=(b"Expect: 200-ok",)),
            ),
        ),
    ),
)
