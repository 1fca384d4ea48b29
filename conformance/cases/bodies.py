# SPDX-License-Identifier: Apache-2.0
"""Cases 29 to 36: bodies that two parsers could read differently, and fields that nobody examined."""

import json
from typing import Final

from conformance.case import ANSWERED, Ask, Case, Upstream, Want, chat, refused, row, rows_of

_NOT_JSON: Final = refused(400, "body-not-json")
_FIELD: Final = refused(400, "field-not-permitted", "field-invalid")
_TYPE: Final = refused(415, "media-type-not-permitted")
_MESSAGES: Final = b'"messages":[{"role":"user","content":"<MARK>"}]'
_OPEN: Final = b'{"model":"<MODEL>",'
_ROUND: Final = _OPEN + _MESSAGES + b"}"
_FORM: Final = b'--ochre\r\nContent-Disposition: form-data; name="%s"\r\n\r\n' + _ROUND + b"\r\n--ochre--\r\n"


def _body(raw: bytes) -> Ask:
    return Ask(body=raw)


def _typed(*types: bytes, body: bytes = _ROUND) -> Ask:
    return Ask(media_type=tuple(b"Content-Type: " + each for each in types), body=body)


def _recoded(encoding: str) -> Ask:
    return Ask(shape=lambda body: body.decode().encode(encoding))


BODY_CASES: Final = (
    Case(
        number=29,
        title="A key given twice is refused, at every depth and in every spelling",
        rows=rows_of(
            _NOT_JSON,
            {
                "two models": _body(b'{"model":"other","model":"<MODEL>",' + _MESSAGES + b"}"),
                "the same model twice": _body(b'{"model":"<MODEL>",' + _OPEN[1:] + _MESSAGES + b"}"),
                "two messages": _body(_OPEN + _MESSAGES + b"," + _MESSAGES + b"}"),
                "two contents": _body(_OPEN + b'"messages":[{"role":"user","content":"a","content":"b"}]}'),
                "two roles": _body(_OPEN + b'"messages":[{"role":"user","role":"system","content":"a"}]}'),
                "escaped twin": _body(b'{"\\u006dodel":"other",' + _OPEN[1:] + _MESSAGES + b"}"),
            },
        ),
    ),
    Case(
        number=30,
        title="Keys are known by what they spell, and no other spelling stands for them",
        rows=(
            row(
                "escaped key is forwarded in plain",
                ANSWERED,
                _body(_OPEN + _MESSAGES.replace(b"messages", b"\\u006dessages") + b"}"),
                upstream=Upstream(present=(b"<MARK>", b'"messages"'), absent=(b"\\u006d",)),
            ),
            *rows_of(
                _FIELD,
                {
                    "capital": _body(_OPEN + b'"Messages":[],' + _MESSAGES + b"}"),
                    "fullwidth letter": _body(_OPEN + '"ｍessages":[],'.encode() + _MESSAGES + b"}"),
                    "blank behind": _body(_OPEN + b'"messages ":[],' + _MESSAGES + b"}"),
                    "nul behind": _body(_OPEN + b'"messages\\u0000":[],' + _MESSAGES + b"}"),
                    "unknown": _body(_OPEN + b'"ochre":1,' + _MESSAGES + b"}"),
                    "empty": _body(_OPEN + b'"":1,' + _MESSAGES + b"}"),
                    "prototype": _body(_OPEN + b'"__proto__":{},' + _MESSAGES + b"}"),
                    "unknown in a message": _body(_OPEN + b'"messages":[{"role":"user","content":"a","ochre":1}]}'),
                },
            ),
        ),
    ),
    Case(
        number=31,
        title="Depth, numbers and numbers of keys are bounded",
        rows=(
            *rows_of(
                Want(refused=frozenset({400, 413}), codes=frozenset({"body-not-json", "body-too-large"})),
                {
                    "100,000 arrays": _body(b'{"model":' + b"[" * 100_000 + b"]" * 100_000 + b"}"),
                    "100,000 arrays without end": _body(b'{"model":' + b"[" * 100_000),
                    "10,000 objects": _body(b'{"a":' * 10_000 + b"1" + b"}" * 10_000),
                    "a million keys": _body(b"{" + b",".join(b'"%d":1' % n for n in range(1_000_000)) + b"}"),
                    "50,000 keys": _body(b"{" + b",".join(b'"%d":1' % n for n in range(50_000)) + b"}"),
                },
            ),
            *rows_of(
                _NOT_JSON,
                {
                    "more than a double": _body(_OPEN + b'"temperature":1e999,' + _MESSAGES + b"}"),
                    "5,000 digits": _body(_OPEN + b'"seed":' + b"9" * 5000 + b"," + _MESSAGES + b"}"),
                    "beyond 64 bits": _body(_OPEN + b'"seed":9223372036854775808,' + _MESSAGES + b"}"),
                    "nan": _body(_OPEN + b'"temperature":NaN,' + _MESSAGES + b"}"),
                    "infinity": _body(_OPEN + b'"temperature":-Infinity,' + _MESSAGES + b"}"),
                    "hexadecimal": _body(_OPEN + b'"seed":0x10,' + _MESSAGES + b"}"),
                    "octal": _body(_OPEN + b'"seed":010,' + _MESSAGES + b"}"),
                    "plus": _body(_OPEN + b'"seed":+1,' + _MESSAGES + b"}"),
                },
            ),
        ),
    ),
    Case(
        number=32,
        title="A body is UTF-8, without a mark and without half characters",
        rows=(
            *rows_of(
                _NOT_JSON,
                {
                    "byte order mark": _body(b"\xef\xbb\xbf" + _ROUND),
                    "utf-16": _recoded("utf-16"),
                    "utf-16 without a mark": _recoded("utf-16-le"),
                    "utf-32": _recoded("utf-32-be"),
                    "utf-7": _body(_ROUND.replace(b'"', b"+ACI-")),
                    "invalid byte": _body(_ROUND.replace(b"<MARK>", b"\xff")),
                    "overlong": _body(_ROUND.replace(b"<MARK>", b"\xc0\xaf")),
                    "surrogate as bytes": _body(_ROUND.replace(b"<MARK>", b"\xed\xa0\x80")),
                    "half a surrogate pair": _body(_ROUND.replace(b"<MARK>", b"\\ud800")),
                    "pair in the wrong order": _body(_ROUND.replace(b"<MARK>", b"\\ude00\\ud83d")),
                    "cut short": _body(_ROUND.replace(b'<MARK>"}]}', b"\xe2\x82")),
                },
            ),
            row("sibling: a surrogate pair", ANSWERED, _body(_ROUND.replace(b"<MARK>", b"<MARK>\\ud83d\\ude00"))),
        ),
    ),
    Case(
        number=33,
        title="A body is one JSON object and nothing else",
        rows=rows_of(
            _NOT_JSON,
            {
                "two documents": _body(_ROUND + _ROUND),
                "two lines": _body(_ROUND + b"\n" + _ROUND),
                "text behind": _body(_ROUND + b";"),
                "nul behind": _body(_ROUND + b"\0"),
                "call around it": _body(b"cb(" + _ROUND + b")"),
                "comment before": _body(b"/* */" + _ROUND),
                "comment within": _body(_OPEN + b"//x\n" + _MESSAGES + b"}"),
                "comma at the end": _body(_OPEN + _MESSAGES + b",}"),
                "single quotes": _body(_ROUND.replace(b'"', b"'")),
                "keys without quotes": _body(_ROUND.replace(b'"model"', b"model")),
                "array around it": _body(b"[" + _ROUND + b"]"),
                "text": _body(b'"<MARK>"'),
                "null": _body(b"null"),
                "empty": _body(b""),
                "guard before it": _body(b")]}'\n" + _ROUND),
                "control character": _body(_ROUND.replace(b"<MARK>", b"a\nb")),
                "form feed between": _body(_OPEN + b"\x0c" + _MESSAGES + b"}"),
                "no end": _body(_ROUND[:-1]),
            },
        ),
    ),
    Case(
        number=34,
        title="A body is said to be JSON, once and without more, or it is refused",
        rows=rows_of(
            _TYPE,
            {
                "text": _typed(b"text/plain"),
                "none": _typed(),
                "empty": _typed(b""),
                "form": _typed(b"application/x-www-form-urlencoded"),
                "two fields": _typed(b"application/json", b"text/plain"),
                "the same twice": _typed(b"application/json", b"application/json"),
                "list": _typed(b"application/json, text/plain"),
                "utf-16": _typed(b"application/json; charset=utf-16"),
                "utf-7": _typed(b"application/json; charset=utf-7"),
                "boundary": _typed(b"application/json; boundary=x"),
                "suffix": _typed(b"application/vnd.x+json"),
                "json lines": _typed(b"application/jsonl"),
                "star": _typed(b"*/*"),
                "xml": _typed(b"application/xml"),
            },
        ),
    ),
    Case(
        number=35,
        title="A form of several parts is not taken where a route takes JSON",
        rows=rows_of(
            _TYPE,
            {
                "json in a part": _typed(b"multipart/form-data; boundary=ochre", body=_FORM % b"body"),
                "two boundaries": _typed(b"multipart/form-data; boundary=ochre; boundary=other", body=_FORM % b"body"),
                "file name that leads elsewhere": _typed(
                    b"multipart/form-data; boundary=ochre", body=_FORM % b'f"; filename="../../etc/passwd'
                ),
                "mixed": _typed(b"multipart/mixed; boundary=ochre", body=_FORM % b"body"),
            },
        ),
    ),
    Case(
        number=36,
        title="Fields that would extend a request, or loosen its policy, are refused",
        rows=rows_of(
            _FIELD,
            {
                name: _body(_OPEN + f'"{name}":{json.dumps(value)},'.encode() + _MESSAGES + b"}")
                for name, value in {
                    "extra_body": {"x": 1},
                    "guided_json": {"type": "object"},
                    "guided_regex": ".*",
                    "chat_template": "{{ ochre }}",
                    "chat_template_kwargs": {"x": 1},
                    "documents": [{"text": "x"}],
                    "metadata": {"guardrails": "off"},
                    "store": True,
                    "previous_response_id": "resp_1",
                    "guardrails": [],
                    "mock_response": "ochre",
                    "api_base": "http://other.invalid",
                    "base_url": "http://other.invalid",
                    "fallbacks": ["other"],
                    "echo": True,
                }.items()
            }
            | {
                "role that is none": Ask(body=chat(messages=[{"role": "root", "content": "<MARK>"}])),
                "number as text": Ask(body=chat(max_tokens="64")),
                "true as a number": Ask(body=chat(max_tokens=True)),
                "stream as text": Ask(body=chat(stream="true")),
                "no messages": Ask(body=chat(messages=[])),
                "tool that was not offered": Ask(
                    body=chat(tool_choice={"type": "function", "function": {"name": "shell"}})
                ),
            },
        ),
    ),
)
