# SPDX-License-Identifier: Apache-2.0
"""The kinds of requests, and what each must be told. A marker in each tells whether it reached the upstream."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass

CARD = "4111 1111 1111 1111"
STRICT, LENIENT = "strict", "lenient"
_ALLOWED = (200, None)


@dataclass(frozen=True)
class Sender:
    """Whose keys there are."""

    key: str
    revoked_key: str


@dataclass(frozen=True)
class Kind:
    """`told` is (status, code) by the policy that decides; the same for both but for requests at their difference."""

    name: str
    raw: Callable[[Sender, str], bytes]
    told: Mapping[str, tuple[int, str | None]]

    def may_pass(self) -> bool:
        return _ALLOWED in self.told.values()


def _always(status: int, code: str | None = None) -> Mapping[str, tuple[int, str | None]]:
    return {STRICT: (status, code), LENIENT: (status, code)}


def _post(key: str | None, body: bytes, *, fields: str = "", path: str = "/v1/chat/completions") -> bytes:
    credential = "" if key is None else f"Authorization: Bearer {key}\r\n"
    length = "" if "Transfer-Encoding" in fields else f"Content-Length: {len(body)}\r\n"
    head = f"POST {path} HTTP/1.1\r\nHost: gateway.example\r\nContent-Type: application/json\r\n"
    return f"{head}{credential}{length}{fields}\r\n".encode() + body


def _chat(marker: str, **options: object) -> bytes:
    messages = [{"role": "user", "content": f"{marker} say something"}]
    return json.dumps({"model": "parrot", "messages": messages, **options}).encode()


def _chunked(body: bytes, *, size: int = 1000) -> bytes:
    pieces = [body[at : at + size] for at in range(0, len(body), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


_SHELL = {"type": "function", "function": {"name": "shell", "parameters": {"type": "object", "properties": {}}}}

KINDS = (
    Kind("plain", lambda s, m: _post(s.key, _chat(m)), _always(*_ALLOWED)),
    Kind("stream", lambda s, m: _post(s.key, _chat(m, stream=True)), _always(*_ALLOWED)),
    Kind(
        "chunked body",
        lambda s, m: _post(s.key, _chunked(_chat(m)), fields="Transfer-Encoding: chunked\r\n"),
        _always(*_ALLOWED),
    ),
    Kind(
        "at the difference",
        lambda s, m: _post(s.key, _chat(m, max_tokens=300)),
        {STRICT: (403, "max-tokens-over-cap"), LENIENT: _ALLOWED},
    ),
    Kind(
        "stream at the difference",
        lambda s, m: _post(s.key, _chat(m, max_tokens=300, stream=True)),
        {STRICT: (403, "max-tokens-over-cap"), LENIENT: _ALLOWED},
    ),
    Kind("over both caps", lambda s, m: _post(s.key, _chat(m, max_tokens=600)), _always(403, "max-tokens-over-cap")),
    Kind("forbidden tool", lambda s, m: _post(s.key, _chat(m, tools=[_SHELL])), _always(403, "tool-not-permitted")),
    Kind("no key", lambda _, m: _post(None, _chat(m)), _always(401, "credentials-missing")),
    Kind("unknown key", lambda s, m: _post(s.key[:-6] + "AAAAAA", _chat(m)), _always(401, "credentials-invalid")),
    Kind("revoked key", lambda s, m: _post(s.revoked_key, _chat(m)), _always(401, "credentials-revoked")),
    Kind(
        "two lengths",
        lambda s, m: _post(s.key, _chat(m), fields="Content-Length: 5\r\n"),
        _always(400, "ambiguous-framing"),
    ),
    Kind(
        "length and chunks",
        lambda s, m: _post(s.key, _chat(m), fields="").replace(
            b"\r\n\r\n", b"\r\nTransfer-Encoding: chunked\r\n\r\n", 1
        ),
        _always(400, "ambiguous-framing"),
    ),
    Kind(
        "path that is not canonical",
        lambda s, m: _post(s.key, _chat(m), path="/v1//chat/completions"),
        _always(400, "path-not-canonical"),
    ),
    Kind("unknown route", lambda s, m: _post(s.key, _chat(m), path="/v1/files"), _always(404, "route-not-listed")),
    Kind("too large", lambda s, m: _post(s.key, _chat(m + "x" * 70_000)), _always(413, "body-too-large")),
    Kind(
        "too large in chunks",
        lambda s, m: _post(s.key, _chunked(_chat(m + "x" * 70_000)), fields="Transfer-Encoding: chunked\r\n"),
        _always(413, "body-too-large"),
    ),
    Kind(
        "member twice",
        lambda s, m: _post(s.key, b'{"model":"parrot",' + _chat(m)[1:]),
        _always(400, "body-not-json"),
    ),
    Kind("unknown member", lambda s, m: _post(s.key, _chat(m, guided_json={})), _always(400, "field-not-permitted")),
)

# What a client may be told while processes die: refused, never wrong.
UNAVAILABLE = frozenset(
    {
        "evaluation-failed",
        "policy-unavailable",
        "record-unavailable",
        "upstream-unavailable",
        "upstream-timeout",
        "draining",
        "overloaded",
    }
)
