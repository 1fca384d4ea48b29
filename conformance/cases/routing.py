# SPDX-License-Identifier: Apache-2.0
"""Cases 17 to 28: which route a request is for, who asks, and which model is meant."""

import base64
import json
from typing import Final

from conformance.case import ANSWERED, Ask, Case, Upstream, Want, chat, refused, row, rows_of

_PATH: Final = refused(400, "path-not-canonical", "malformed-request", "protocol-not-permitted")
_ROUTE: Final = refused(404, "route-not-listed")
_AMBIGUOUS: Final = refused(401, "credentials-ambiguous")
_UNKNOWN: Final = refused(401, "credentials-invalid")
_MODEL: Final = Want(
    refused=frozenset({400, 403, 404}), codes=frozenset({"field-invalid", "no-applicable-policy", "access-denied"})
)
_MALFORMED: Final = refused(400, "malformed-request")
_KEY: Final = b"Authorization: Bearer <KEY>"


def _post(target: bytes) -> Ask:
    return Ask(line=b"POST " + target + b" HTTP/1.1")


def _get(target: bytes) -> Ask:
    return Ask(line=b"GET " + target + b" HTTP/1.1", framing=(), body=b"", media_type=())


def _bearer(value: bytes) -> Ask:
    return Ask(credential=(b"Authorization: Bearer " + value,))


def _part(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def _token(header: dict[str, str], *, signature: str = "AAAA", **claims: object) -> Ask:
    told = {"sub": "alice", "aud": "gatehouse", "iss": "https://issuer.invalid", "exp": 4102444800, **claims}
    return _bearer(f"{_part({'typ': 'JWT', **header})}.{_part(told)}.{signature}".encode())


def _model(name: object) -> Ask:
    return Ask(body=chat(model=name))


ROUTING_CASES: Final = (
    Case(
        number=17,
        title="A path in another than its canonical form is refused",
        rows=rows_of(
            _PATH,
            {
                "slash at the end": _post(b"<PATH>/"),
                "two slashes": _post(b"/<PATH>"),
                "two slashes within": _post(b"/v1//chat/completions"),
                "dot": _post(b"/v1/./chat/completions"),
                "two dots": _post(b"/v1/x/../chat/completions"),
                "two dots above the root": _post(b"/../v1/chat/completions"),
                "two dots at the end": _post(b"<PATH>/.."),
                "backslash": _post(b"/v1\\chat/completions"),
                "no slash": _post(b"v1/chat/completions"),
            },
        ),
    ),
    Case(
        number=18,
        title="Escapes, parameters, fragments, queries and other alphabets in a path are refused",
        rows=rows_of(
            _PATH,
            {
                "escaped dots": _post(b"/v1/%2e%2e/v1/chat/completions"),
                "escaped slash": _post(b"/v1%2fchat/completions"),
                "escaped letter": _post(b"/v1/chat/%63ompletions"),
                "escaped twice": _post(b"/v1/%252e/chat/completions"),
                "escaped nul": _post(b"<PATH>%00"),
                "escaped line break": _post(b"<PATH>%0d%0aX-Ochre:%201"),
                "half an escape": _post(b"<PATH>%"),
                "parameter": _post(b"<PATH>;a=b"),
                "parameter between": _post(b"/v1;x/chat/completions"),
                "overlong utf-8": _post(b"/v1/\xc0\xae\xc0\xae/chat/completions"),
                "fullwidth slash": _post("/v1／chat/completions".encode()),
                "fragment": _post(b"<PATH>#x"),
                "query": _post(b"<PATH>?x=1"),
                "empty query": _post(b"<PATH>?"),
                "nul": _post(b"<PATH>\0"),
            },
        ),
    ),
    Case(
        number=19,
        title="Routes are matched exactly: another case or method is another route",
        rows=rows_of(
            _ROUTE,
            {
                "capitals": _post(b"/V1/Chat/Completions"),
                "one capital": _post(b"/v1/chat/Completions"),
                "a longer path": _post(b"<PATH>s"),
                "a part of the path": _post(b"/v1/chat"),
                "get": _get(b"<PATH>"),
                "put": Ask(line=b"PUT <PATH> HTTP/1.1"),
                "delete": Ask(line=b"DELETE <PATH> HTTP/1.1", framing=(), body=b""),
                "options": Ask(line=b"OPTIONS <PATH> HTTP/1.1", framing=(), body=b""),
            },
        ),
    ),
    Case(
        number=20,
        title="Hosts that are none, several or none at all, and targets that name one, are refused",
        rows=(
            *rows_of(
                _MALFORMED,
                {
                    "no host": Ask(host=None),
                    "two hosts": Ask(fields=(b"Host: other.invalid",)),
                    "the same host twice": Ask(fields=(b"Host: <HOST>",)),
                    "a path in it": Ask(host=b"Host: good/?"),
                    "a fragment in it": Ask(host=b"Host: good/#"),
                    "a user in it": Ask(host=b"Host: good@other.invalid"),
                    "a list": Ask(host=b"Host: good, other.invalid"),
                    "a blank in it": Ask(host=b"Host: good other.invalid"),
                    "a port that is none": Ask(host=b"Host: good:80x"),
                    "a port beyond all": Ask(host=b"Host: good:65536"),
                    "an address that is none": Ask(host=b"Host: [:::::]"),
                    "another alphabet": Ask(host="Host: góod.invalid".encode()),
                    "an escape": Ask(host=b"Host: good%2eother.invalid"),
                    "empty": Ask(host=b"Host:"),
                },
                cuts=True,
            ),
            *rows_of(
                refused(400, "protocol-not-permitted", "malformed-request"),
                {
                    "absolute form of another": _post(b"http://other.invalid<PATH>"),
                    "absolute form": _post(b"http://<HOST><PATH>"),
                    "another scheme": _post(b"file:///etc/passwd"),
                    "authority form": _post(b"other.invalid:443"),
                },
                cuts=True,
            ),
            row(
                "network path",
                _PATH,
                _post(b"//other.invalid<PATH>"),
            ),
        ),
    ),
    Case(
        number=21,
        title="Fields that would override path, method or peer decide nothing and go nowhere",
        rows=tuple(
            row(
                field.decode().partition(":")[0],
                ANSWERED,
                Ask(fields=(field,)),
                upstream=Upstream(absent=(b"ochre",), present=(b"<MARK>",)),
            )
            for field in (
                b"X-Original-URL: /ochre",
                b"X-Rewrite-URL: /ochre",
                b"X-HTTP-Method-Override: OCHRE",
                b"X-Method-Override: OCHRE",
                b"X-Forwarded-Host: ochre.invalid",
                b"X-Forwarded-For: 10.0.0.7, ochre",
                b"X-Forwarded-Proto: ochre",
                b"X-Forwarded-Prefix: /ochre",
                b"Forwarded: for=ochre",
                b"X-Real-IP: ochre",
                b"True-Client-IP: ochre",
                b"X-Gatehouse-Subject: ochre",
                b"Cookie: session=ochre",
            )
        ),
    ),
    Case(
        number=26,
        title="What no policy lists does not exist",
        rows=rows_of(
            _ROUTE,
            {
                path.decode(): _get(path)
                for path in (
                    b"/metrics",
                    b"/docs",
                    b"/openapi.json",
                    b"/health",
                    b"/v1/files",
                    b"/v1/fine_tuning/jobs",
                    b"/v1/future",
                    b"/load_model",
                )
            },
        ),
    ),
    Case(
        number=27,
        title="A model is the one whose exact id is given",
        rows=rows_of(
            _MODEL,
            {
                "blank behind": _model("<MODEL> "),
                "blank before": _model(" <MODEL>"),
                "line break behind": _model("<MODEL>\n"),
                "nul behind": _model("<MODEL>\0"),
                "all": _model("*"),
                "pattern": _model(".*"),
                "zero-width blank within": _model("<MODEL>\u200b"),
                "another alphabet": _model("<MODEL>\u0430"),
                "empty": _model(""),
                "none": Ask(body=b'{"messages":[{"role":"user","content":"<MARK>"}]}'),
                "null": _model(None),
                "array": _model(["<MODEL>"]),
                "object": _model({"id": "<MODEL>"}),
                "number": _model(4),
            },
        )
        + rows_of(
            _MODEL,
            {
                "a letter more": _model("<MODEL>x"),
                "by a path": _model("models/../<MODEL>"),
                "by a provider": _model("openai/<MODEL>"),
            },
            needs_model_list=True,
        ),
    ),
    Case(
        number=28,
        title="The management API is not behind the data port",
        rows=rows_of(
            _ROUTE,
            {
                path.decode(): _get(path)
                for path in (b"/v1/policies", b"/v1/api-keys", b"/v1/decisions", b"/healthz", b"/readyz", b"/console")
            },
        ),
    ),
)
