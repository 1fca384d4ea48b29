# SPDX-License-Identifier: Apache-2.0
"""Cases 22 to 25: who asks."""

import base64
import json
from dataclasses import replace
from typing import Final

from conformance.case import ANSWERED, Ask, Case, LostKey, Row, Upstream, Want, chat, refused, row, rows_of

_AMBIGUOUS: Final = refused(401, "credentials-ambiguous")
_UNKNOWN: Final = refused(401, "credentials-invalid")
_KEY: Final = b"Authorization: Bearer <KEY>"


def _post(target: bytes) -> Ask:
    return Ask(line=b"POST " + target + b" HTTP/1.1")


def _bearer(value: bytes) -> Ask:
    return Ask(credential=(b"Authorization: Bearer " + value,))


def _part(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def _token(header: dict[str, str], *, signature: str = "AAAA", **claims: object) -> Ask:
    told = {"sub": "alice", "aud": "gatehouse", "iss": "https://issuer.invalid", "exp": 4102444800, **claims}
    return _bearer(f"{_part({'typ': 'JWT', **header})}.{_part(told)}.{signature}".encode())


def _lost(key: LostKey) -> tuple[Row, ...]:
    """Return the rows of a key that was good once. What it asks for is told apart from what a good key does."""
    want = refused(401, f"credentials-{key}")
    placeholder = f"<{key.upper()}>".encode()
    ask = Ask(credential=(b"Authorization: Bearer " + placeholder,), body=_SECOND)
    nothing = Upstream(absent=(b"second-<MARK>",))
    return (
        row(str(key), want, ask, cuts=True, lost_key=key),
        row(f"{key}, in x-api-key", want, replace(ask, credential=(b"x-api-key: " + placeholder,)), lost_key=key),
        row(f"{key}, after a good one", ANSWERED, Ask(), ask, then=want, upstream=nothing, lost_key=key),
    )


_SECOND: Final = chat(messages=[{"role": "user", "content": "second-<MARK>"}])

CREDENTIAL_CASES: Final = (
    Case(
        number=22,
        title="More than one credential is refused, whether they agree or not",
        rows=(
            *rows_of(
                _AMBIGUOUS,
                {
                    "two keys": Ask(fields=(b"Authorization: Bearer other",)),
                    "the same key twice": Ask(fields=(_KEY,)),
                    "x-api-key beside": Ask(fields=(b"x-api-key: other",)),
                    "api-key beside": Ask(fields=(b"api-key: other",)),
                    "basic beside": Ask(fields=(b"Authorization: Basic YTpi",)),
                    "proxy credentials beside": Ask(fields=(b"Proxy-Authorization: Basic YTpi",)),
                    "google's field beside": Ask(fields=(b"x-goog-api-key: other",)),
                },
            ),
            *rows_of(
                Want(refused=frozenset({400, 401}), codes=frozenset({"credentials-ambiguous", "path-not-canonical"})),
                {
                    "key in the query": _post(b"<PATH>?api_key=other"),
                    "key in the query, escaped": _post(b"<PATH>?api%5fkey=other"),
                },
            ),
            row("none", refused(401, "credentials-missing"), Ask(credential=())),
        ),
    ),
    Case(
        number=23,
        title="Keys that are no keys are unknown, whatever they hold",
        rows=(
            *rows_of(
                _UNKNOWN,
                {
                    "sql": _bearer(b"gh_' OR 1=1--_" + b"a" * 43),
                    "another alphabet": _bearer("gh_ålice_".encode() + b"a" * 43),
                    "a letter more": _bearer(b"<KEY>x"),
                    "a letter instead": _bearer(b"x<KEY>"),
                    "a comma behind": _bearer(b"<KEY>,"),
                    "two in one": _bearer(b"<KEY> <KEY>"),
                    "quoted": _bearer(b'"<KEY>"'),
                    "another scheme": Ask(credential=(b"Authorization: Basic YTpi",)),
                    "no scheme": Ask(credential=(b"Authorization: <KEY>",)),
                    "8 KiB": _bearer(b"gh_" + b"a" * 8192),
                },
            ),
            row("empty", refused(401, "credentials-invalid", "credentials-missing"), _bearer(b"")),
            row("nul", refused(400, "malformed-request"), _bearer(b"gh_a\0b")),
            row("1 MB", Want(refused=frozenset({400, 401, 431})), _bearer(b"gh_" + b"a" * 1_000_000)),
        ),
    ),
    Case(
        number=24,
        title="Tokens that anybody could have made are refused",
        rows=rows_of(
            _UNKNOWN,
            {
                "no algorithm": _token({"alg": "none"}, signature=""),
                "no algorithm in capitals": _token({"alg": "NONE"}, signature=""),
                "symmetric": _token({"alg": "HS256"}),
                "key by a path": _token({"alg": "RS256", "kid": "../../dev/null"}),
                "key by a query": _token({"alg": "RS256", "kid": "x' UNION SELECT 'a"}),
                "key by a url": _token({"alg": "RS256", "jku": "http://other.invalid/keys"}),
                "certificate by a url": _token({"alg": "RS256", "x5u": "http://other.invalid/cert"}),
                "no expiry": _token({"alg": "RS256"}, exp=None),
                "expired": _token({"alg": "RS256"}, exp=1),
                "no audience": _token({"alg": "RS256"}, aud=None),
                "half a token": _bearer(b"eyJhbGciOiJSUzI1NiJ9."),
                "four dots": _bearer(b"e30.e30.e30.e30.e30"),
            },
        ),
    ),
    Case(
        number=25,
        title="A key that was revoked or has expired is refused, also on a connection that a good key opened",
        rows=(*_lost(LostKey.REVOKED), *_lost(LostKey.EXPIRED)),
    ),
)
