# SPDX-License-Identifier: Apache-2.0
"""The attack cases that the request firewall answers for, by their number in the catalogue of cases.

Each is refused with its typed error, nothing reaches the upstream, and there is exactly one terminal record. The last
test sends what the attacks imitate, so that a firewall that refuses everything fails.
"""

import base64
import gzip
import json
import zlib

import pytest

from policies.contracts.snapshot import Dialect, Encoding, Modality, UnknownFields
from proxy_addons.addons.enforce_request import EnforceRequest
from proxy_addons.core.multipart_form import Field, write_form
from tests.unit.proxy_addons.harness import (
    Upstream,
    chat,
    head,
    key_of,
    plain_answer,
    ready_harness,
    route,
    streamed_answer,
)

BODY = json.dumps(chat()).encode()
DEEP = b"[" * 100_000 + b"]" * 100_000


def target(path: str | bytes):
    return {"target": path if isinstance(path, bytes) else path.encode()}


def extra(*fields: tuple[bytes, bytes]):
    return {"headers": head(BODY) + list(fields)}


def keyed(value: bytes):
    return {"headers": [(b"Authorization", value), (b"Content-Type", b"application/json")]}


def typed(*values: bytes):
    fields = [field for field in head(BODY) if field[0] != b"Content-Type"]
    return {"headers": fields + [(b"Content-Type", value) for value in values]}


def body(raw: bytes | str):
    return {"body": raw if isinstance(raw, bytes) else raw.encode()}


def fields(**changes):
    return {"body": chat(**changes)}


def message(**changes):
    return fields(messages=[{"role": "user", "content": "hi"} | changes])


def part(**content):
    return message(content=[content])


def model(name: str):
    return fields(model=name)


VALID = '"messages":[{"role":"user","content":"hi"}]'

CASES = [
    # 17, 18: paths
    *[
        (17, name, target(path), 400, "path-not-canonical")
        for name, path in {
            "trailing-slash": "/v1/chat/completions/",
            "double-slash": "//v1//chat/completions",
            "dot-segment": "/v1/./chat/completions",
            "dot-dot-segment": "/v1/x/../chat/completions",
            "backslash": "/v1\\chat/completions",
            "empty": "",
            "no-slash": "v1/chat/completions",
        }.items()
    ],
    *[
        (18, name, target(path), 400, "path-not-canonical")
        for name, path in {
            "encoded-dots": "/v1/%2e%2e/chat/completions",
            "encoded-slash": "/v1%2fchat/completions",
            "double-encoded": "/v1/%252e/chat/completions",
            "encoded-letter": "/v1/chat/%63ompletions",
            "parameter": "/v1/chat/completions;a=b",
            "overlong-utf-8": b"/v1/\xc0\xae\xc0\xae/chat/completions",
            "fullwidth-slash": "/v1／chat/completions",
            "fragment": "/v1/chat/completions#x",
            "query": "/v1/chat/completions?x=1",
            "nul": b"/v1/chat/completions\x00",
        }.items()
    ],
    (19, "upper-case", target("/V1/Chat/Completions"), 404, "route-not-listed"),
    (19, "method-of-another-route", {"method": "GET", "headers": head(None), "body": None}, 404, "route-not-listed"),
    (20, "absolute-form", target("http://evil.invalid/v1/chat/completions"), 400, "path-not-canonical"),
    # 22, 23: credentials
    (
        22,
        "two-authorizations",
        extra((b"Authorization", b"Bearer " + key_of("bob").encode())),
        401,
        "credentials-ambiguous",
    ),
    (22, "same-key-twice", extra((b"x-api-key", key_of("alice").encode())), 401, "credentials-ambiguous"),
    (22, "key-in-the-query", target("/v1/chat/completions?api_key=x"), 401, "credentials-ambiguous"),
    (22, "azure-key-beside", extra((b"api-key", b"x")), 401, "credentials-ambiguous"),
    (22, "none", {"headers": [(b"Content-Type", b"application/json")]}, 401, "credentials-missing"),
    (23, "sql", keyed(b"Bearer gh_' OR 1=1--_" + b"a" * 43), 401, "credentials-invalid"),
    (23, "nul", keyed(b"Bearer gh_alice\x00_" + b"a" * 43), 401, "credentials-invalid"),
    (23, "megabyte", keyed(b"Bearer gh_" + b"a" * 1_000_000), 401, "credentials-invalid"),
    (23, "non-ascii", keyed("Bearer gh_ålice_".encode() + b"a" * 43), 401, "credentials-invalid"),
    (
        23,
        "wrong-secret",
        keyed(key_of("alice").replace("a" * 43, "b" * 43).encode().join([b"Bearer ", b""])),
        401,
        "credentials-invalid",
    ),
    (23, "blank-after-the-key", keyed(b"Bearer " + key_of("alice").encode() + b" "), 401, "credentials-invalid"),
    (23, "basic", keyed(b"Basic YTpi"), 401, "credentials-invalid"),
    (
        24,
        "jwt-without-algorithm",
        keyed(b"Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbGljZSJ9."),
        401,
        "credentials-invalid",
    ),
    # 26, 28: routes
    *[
        (26, name, target(path), 404, "route-not-listed")
        for name, path in {
            "metrics": "/metrics",
            "docs": "/docs",
            "openapi": "/openapi.json",
            "future-route": "/v1/responses",
            "files": "/v1/files",
        }.items()
    ],
    (28, "management", target("/v1/policies"), 404, "route-not-listed"),
    # 27: models
    (27, "trailing-blank", model("parrot "), 400, "field-invalid"),
    (27, "upper-case", model("PARROT"), 403, "no-applicable-policy"),
    (27, "traversal", model("models/../parrot"), 403, "no-applicable-policy"),
    (27, "provider-prefix", model("provider/parrot"), 403, "no-applicable-policy"),
    (27, "pattern", model(".*"), 400, "field-invalid"),
    (27, "star", model("*"), 400, "field-invalid"),
    (27, "cyrillic", model("pаrrot"), 400, "field-invalid"),
    (27, "newline", model("parrot\n"), 400, "field-invalid"),
    (27, "empty", model(""), 400, "field-invalid"),
    (27, "array", fields(model=["parrot"]), 400, "field-invalid"),
    # 29-33: JSON
    (29, "two-models", body('{"model":"parrot-x","model":"parrot",' + VALID + "}"), 400, "body-not-json"),
    (29, "two-messages", body('{"model":"parrot",' + VALID + "," + VALID + "}"), 400, "body-not-json"),
    (
        29,
        "two-contents",
        body('{"model":"parrot","messages":[{"role":"user","content":"a","content":"b"}]}'),
        400,
        "body-not-json",
    ),
    (29, "escaped-twin", body('{"model":"parrot",' + VALID + ',"\\u006dodel":"x"}'), 400, "body-not-json"),
    (30, "case", body('{"model":"parrot","Messages":[],' + VALID + "}"), 400, "field-not-permitted"),
    (30, "fullwidth", body('{"model":"parrot","ｍessages":[],' + VALID + "}"), 400, "field-not-permitted"),
    (31, "deep-array", body(b'{"model":' + DEEP + b"}"), 413, "body-too-large"),
    (31, "deep-within-the-size", body(b'{"model":' + b"[" * 9000 + b"]" * 9000 + b"}"), 400, "body-not-json"),
    (31, "just-too-deep", body(b'{"model":' + b"[" * 64 + b"]" * 64 + b"}"), 400, "body-not-json"),
    (31, "infinite-double", body('{"model":"parrot","temperature":1e999,' + VALID + "}"), 400, "body-not-json"),
    (31, "huge-integer", body('{"model":"parrot","seed":' + "9" * 400 + "," + VALID + "}"), 400, "body-not-json"),
    (31, "beyond-64-bits", body('{"model":"parrot","seed":9223372036854775808,' + VALID + "}"), 400, "body-not-json"),
    (31, "nan", body('{"model":"parrot","temperature":NaN,' + VALID + "}"), 400, "body-not-json"),
    (31, "infinity", body('{"model":"parrot","temperature":-Infinity,' + VALID + "}"), 400, "body-not-json"),
    (32, "byte-order-mark", body(b"\xef\xbb\xbf" + BODY), 400, "body-not-json"),
    (32, "utf-16", body(BODY.decode().encode("utf-16")), 400, "body-not-json"),
    (32, "utf-32", body(BODY.decode().encode("utf-32-le")), 400, "body-not-json"),
    (32, "invalid-utf-8", body(BODY.replace(b"marzipan", b"\xff")), 400, "body-not-json"),
    (32, "lone-surrogate", body(BODY.replace(b"marzipan", b"\\ud800")), 400, "body-not-json"),
    (32, "lone-surrogate-key", body(BODY.replace(b'"model"', b'"\\udc00":1,"model"')), 400, "body-not-json"),
    (32, "surrogate-as-bytes", body(BODY.replace(b"marzipan", b"\xed\xa0\x80")), 400, "body-not-json"),
    (33, "second-document", body(BODY + BODY), 400, "body-not-json"),
    (33, "trailing-text", body(BODY + b";"), 400, "body-not-json"),
    (33, "trailing-nul", body(BODY + b"\x00"), 400, "body-not-json"),
    (33, "jsonp", body(b"cb(" + BODY + b")"), 400, "body-not-json"),
    (33, "comment", body(b"/* */" + BODY), 400, "body-not-json"),
    (33, "array", body(b"[" + BODY + b"]"), 400, "body-not-json"),
    (33, "empty", body(b""), 400, "body-not-json"),
    (33, "control-character", body(BODY.replace(b"marzipan", b"a\nb")), 400, "body-not-json"),
    # 34, 35: media types
    (34, "text", typed(b"text/plain"), 415, "media-type-not-permitted"),
    (34, "missing", typed(), 415, "media-type-not-permitted"),
    (34, "two", typed(b"application/json", b"application/json"), 415, "media-type-not-permitted"),
    (34, "utf-16", typed(b"application/json; charset=utf-16"), 415, "media-type-not-permitted"),
    (34, "other-parameter", typed(b"application/json; boundary=x"), 415, "media-type-not-permitted"),
    (34, "list", typed(b"application/json, text/plain"), 415, "media-type-not-permitted"),
    (34, "suffix", typed(b"application/vnd.x+json"), 415, "media-type-not-permitted"),
    (34, "gzip", extra((b"Content-Encoding", b"gzip")), 415, "encoding-not-permitted"),
    (34, "unknown-encoding", extra((b"Content-Encoding", b"x-foo")), 415, "encoding-not-permitted"),
    (35, "multipart", typed(b"multipart/form-data; boundary=a"), 415, "media-type-not-permitted"),
    # 36: extensions
    *[
        (36, name, fields(**{name: {"x": "y"}}), 400, "field-not-permitted")
        for name in (
            "extra_body",
            "guided_json",
            "chat_template",
            "chat_template_kwargs",
            "documents",
            "metadata",
            "store",
        )
    ],
    (36, "field-of-a-message", message(prefix=True), 400, "field-not-permitted"),
    (
        36,
        "field-of-a-tool",
        fields(tools=[{"type": "function", "function": {"name": "f"}, "x": 1}]),
        400,
        "field-not-permitted",
    ),
    (
        36,
        "forced-tool-not-offered",
        fields(tool_choice={"type": "function", "function": {"name": "shell"}}),
        400,
        "field-invalid",
    ),
    (36, "unknown-role", message(role="root"), 400, "field-invalid"),
    (36, "true-as-a-number", fields(max_tokens=True), 400, "field-invalid"),
    (36, "number-as-text", fields(max_tokens="64"), 400, "field-invalid"),
    (36, "negative-tokens", fields(max_tokens=-1), 400, "field-invalid"),
    (36, "stream-as-a-number", fields(stream=1), 400, "field-invalid"),
    (36, "no-messages", fields(messages=[]), 400, "field-invalid"),
    (36, "no-content", fields(messages=[{"role": "user"}]), 400, "field-invalid"),
    # 47-50: parts that nobody can examine
    (47, "unknown-part", part(type="hologram", hologram="x"), 400, "field-invalid"),
    (47, "part-without-a-type", part(text="x"), 400, "field-invalid"),
    (47, "text-and-image-in-one", part(type="text", text="x", image_url={"url": "x"}), 400, "field-not-permitted"),
    (
        48,
        "remote-image",
        part(type="image_url", image_url={"url": "http://169.254.169.254/"}),
        400,
        "modality-not-permitted",
    ),
    (
        48,
        "data-image",
        part(type="image_url", image_url={"url": "data:image/png;base64,AA=="}),
        400,
        "modality-not-permitted",
    ),
    (49, "sound", part(type="input_audio", input_audio={"data": "x", "format": "wav"}), 400, "modality-not-permitted"),
    (49, "file", part(type="file", file={"file_id": "x"}), 400, "modality-not-permitted"),
    *[
        (
            50,
            name,
            {"body": {"model": "parrot", "prompt": prompt}, "target": b"/v1/completions"},
            400,
            "field-invalid",
        )
        for name, prompt in {"token-ids": [9906, 1917], "batches-of-token-ids": [[1], [2]], "mixed": ["a", 1]}.items()
    ],
]


@pytest.mark.parametrize(
    ("request_", "status", "code"),
    [pytest.param(*case[2:], id=f"{case[0]}-{case[1]}") for case in CASES],
)
async def test_attack_is_refused_unforwarded_and_recorded_once(request_, status, code):
    harness = ready_harness()
    told = await harness.send(**({"body": BODY} | request_))
    assert (told.status, told.code) == (status, code)
    assert told.sent_upstream == []
    assert [record["kind"] for record in harness.sink.envelopes] == ["terminal"]
    assert harness.sink.envelopes[0]["reasons"][0]["code"] == code
    assert harness.sink.envelopes[0]["verdict"] == "blocked"


@pytest.mark.parametrize(
    "request_",
    [
        pytest.param({}, id="plain"),
        pytest.param(typed(b"application/json; charset=UTF-8"), id="charset"),
        pytest.param(typed(b"Application/JSON"), id="media-type-in-another-case"),
        pytest.param(extra((b"Content-Encoding", b"identity")), id="identity-encoding"),
        pytest.param({"headers": [(b"x-api-key", key_of("alice").encode()), *head(BODY)[2:]]}, id="x-api-key"),
        pytest.param(body(BODY.replace(b"marzipan", b"\\ud83d\\ude00")), id="surrogate-pair"),
        pytest.param(part(type="text", text="hi"), id="text-part"),
        pytest.param(fields(max_tokens=64, temperature=1, top_p=0.5, stop=["a"], seed=-5, n=2), id="parameters"),
        pytest.param(fields(store=False, metadata=None, max_tokens=None), id="fields-that-say-nothing"),
        pytest.param(
            fields(
                tools=[{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}],
                tool_choice={"type": "function", "function": {"name": "f"}},
            ),
            id="tool",
        ),
        pytest.param(
            {"body": {"model": "parrot", "prompt": ["a", "b"]}, "target": b"/v1/completions"}, id="completions"
        ),
    ],
)
async def test_what_the_attacks_imitate_passes(request_):
    told = await ready_harness().send(**({"body": BODY} | request_))
    assert told.status == 200
    assert len(told.sent_upstream) == 1


def lenient(**options):
    return {"routes": (route(**options),)}


def packed(content: bytes, coding: bytes):
    return {"body": content, "headers": [*head(content), (b"Content-Encoding", coding)]}


GZIP = lenient(encodings=(Encoding.GZIP, Encoding.DEFLATE))
IMAGES = lenient(allow_uncovered=(Modality.IMAGE,))
PASSING = lenient(unknown_fields=UnknownFields.PASS)
PNG = "data:image/png;base64," + base64.b64encode(b"\x89PNG\r\n\x1a\n....").decode()


@pytest.mark.parametrize(
    ("policy", "request_", "status", "code"),
    [
        pytest.param(*case[2:], id=f"{case[0]}-{case[1]}")
        for case in [
            (7, "gzip-of-another-dialect", GZIP, packed(gzip.compress(b"[]"), b"gzip"), 400, "body-not-json"),
            (7, "gzip-that-is-none", GZIP, packed(BODY, b"gzip"), 400, "body-not-decodable"),
            (8, "bomb", GZIP, packed(gzip.compress(b" " * 10_000_000), b"gzip"), 413, "body-too-large"),
            (
                8,
                "nested",
                GZIP,
                packed(gzip.compress(gzip.compress(BODY)), b"gzip, gzip"),
                415,
                "encoding-not-permitted",
            ),
            (8, "gzip-in-gzip", GZIP, packed(gzip.compress(gzip.compress(BODY)), b"gzip"), 400, "body-not-json"),
            (8, "two-members", GZIP, packed(gzip.compress(BODY) * 2, b"gzip"), 400, "body-not-decodable"),
            (9, "raw-deflate", GZIP, packed(zlib.compress(BODY)[2:-4], b"deflate"), 400, "body-not-decodable"),
            (9, "unknown", GZIP, packed(BODY, b"zstd"), 415, "encoding-not-permitted"),
            (30, "case-on-a-route-that-passes", PASSING, fields(Messages=[]), 400, "field-not-permitted"),
            (
                30,
                "fullwidth-on-a-route-that-passes",
                PASSING,
                {"body": chat() | {"ｍodel": "x"}},
                400,
                "field-not-permitted",
            ),
            *[
                (36, f"{name}-on-a-route-that-passes", PASSING, fields(**{name: "x"}), 400, "field-not-permitted")
                for name in (
                    "extra_body",
                    "guided_json",
                    "chat_template",
                    "documents",
                    "metadata",
                    "functions",
                    "models",
                    "images",
                    "url",
                )
            ],
            (
                36,
                "dangerous-within-what-passes",
                PASSING,
                fields(marzipan={"a": [{"guided_regex": "x"}]}),
                400,
                "field-not-permitted",
            ),
            (
                48,
                "remote-image-where-images-pass",
                IMAGES,
                part(type="image_url", image_url={"url": "http://169.254.169.254/"}),
                400,
                "remote-url-not-permitted",
            ),
            (
                48,
                "page-as-an-image",
                IMAGES,
                part(type="image_url", image_url={"url": "data:text/html;base64,PGE+"}),
                400,
                "field-invalid",
            ),
            (
                49,
                "sound-where-images-pass",
                IMAGES,
                part(type="input_audio", input_audio={"data": "AAAA", "format": "wav"}),
                400,
                "modality-not-permitted",
            ),
            (
                49,
                "image-of-the-assistant",
                IMAGES,
                fields(messages=[{"role": "assistant", "content": [{"type": "image_url", "image_url": {"url": PNG}}]}]),
                400,
                "modality-not-permitted",
            ),
        ]
    ],
)
async def test_attack_on_a_route_with_options_is_refused_unforwarded_and_recorded_once(policy, request_, status, code):
    harness = ready_harness(**policy)
    told = await harness.send(**({"body": BODY} | request_))
    assert (told.status, told.code, told.sent_upstream) == (status, code, [])
    assert [record["kind"] for record in harness.sink.envelopes] == ["terminal"]


@pytest.mark.parametrize(("coding", "compress"), [(b"gzip", gzip.compress), (b"deflate", zlib.compress)])
async def test_07_compressed_body_is_examined_and_forwarded_plain(coding, compress):
    harness = ready_harness(**GZIP)
    told = await harness.send(**packed(compress(b" " + BODY), coding))
    assert (told.status, [json.loads(sent) for sent in told.sent_upstream]) == (200, [json.loads(BODY)])
    assert b"content-encoding" not in {name.lower() for name, _ in told.flow.request.headers.fields}


async def test_36_what_was_stripped_is_counted_in_the_record():
    harness = ready_harness(**lenient(unknown_fields=UnknownFields.STRIP))
    told = await harness.send(chat(guided_json={"a": 1}, Messages=[], metadata={"guardrails": "off"}))
    assert (told.status, [json.loads(sent) for sent in told.sent_upstream]) == (200, [chat()])
    assert harness.sink.envelopes[0]["coverage"]["stripped"] == 3


async def test_49_image_that_passed_is_recorded_as_not_scanned():
    harness = ready_harness(**IMAGES)
    told = await harness.send(**part(type="image_url", image_url={"url": PNG}))
    assert told.status == 200
    missing = {"path": "request.messages.*.content.*.image_url", "reason": "image"}
    assert missing in harness.sink.envelopes[0]["coverage"]["not_scanned"]


@pytest.mark.parametrize(("host", "status"), [(b"gateway.invalid", 200), (b"good.invalid", 421)])
async def test_20_host_is_one_of_ours_where_they_are_listed(host, status):
    harness = ready_harness()
    harness.addon(EnforceRequest)._hosts = frozenset({"gateway.invalid"})
    told = await harness.send(BODY, headers=[(b"Host", host), *head(BODY)[1:]])
    assert (told.status, len(told.sent_upstream)) == (status, 1 if status == 200 else 0)
    assert len(harness.sink.envelopes) == 1


@pytest.mark.parametrize("status", [200, 400])
async def test_name_the_client_gave_its_request_is_told_and_recorded_beside_ours(status):
    harness = ready_harness()
    told = await harness.send(BODY if status == 200 else b"[]", **extra((b"x-request-id", b"run-7")))
    assert told.status == status
    assert told.flow.response.headers["x-client-request-id"] == "run-7"
    (record,) = harness.sink.records
    assert json.loads(record.payload)["client_request_id"] == "run-7"
    assert "run-7" not in record.envelope.decode()


FORM, FORM_BODY = write_form(
    [Field(name="model", text="parrot"), Field(name="file", content=b"ID3 sound", media_type="audio/mpeg")],
    file_name="../../etc/passwd",
    file_type="audio/mpeg",
)
HEARD = Upstream(pieces=[b'{"text":"hello"}'])
HEARING = {"routes": (route(Dialect.TRANSCRIPTIONS, allow_uncovered=(Modality.AUDIO,)),)}


def sent_form(content: bytes = FORM_BODY, media_type: bytes = FORM):
    headers = [*head(None), (b"Content-Type", media_type), (b"Content-Length", b"%d" % len(content))]
    return {"body": content, "headers": headers, "target": b"/v1/audio/transcriptions", "upstream": HEARD}


@pytest.mark.parametrize(
    ("policy", "request_", "status", "code"),
    [
        pytest.param(
            HEARING, sent_form(media_type=FORM + b"; boundary=b"), 415, "media-type-not-permitted", id="two-boundaries"
        ),
        pytest.param(HEARING, sent_form(media_type=b"application/json"), 415, "media-type-not-permitted", id="json"),
        pytest.param(HEARING, sent_form(b"{}"), 400, "body-not-form", id="no-form"),
        pytest.param(
            HEARING, sent_form(FORM_BODY.replace(b'"file"', b'"model"')), 400, "field-invalid", id="file-for-a-text"
        ),
        pytest.param(HEARING, sent_form(b"x\r\n" + FORM_BODY), 400, "body-not-form", id="preamble"),
        pytest.param(
            {"routes": (route(Dialect.TRANSCRIPTIONS),)},
            sent_form(),
            400,
            "modality-not-permitted",
            id="sound-by-default",
        ),
    ],
)
async def test_35_hostile_form_is_refused_unforwarded(policy, request_, status, code):
    harness = ready_harness(**policy)
    told = await harness.send(**request_)
    assert (told.status, told.code, told.sent_upstream) == (status, code, [])
    assert len(harness.sink.envelopes) == 1


async def test_35_form_is_forwarded_with_names_of_our_own():
    harness = ready_harness(**HEARING)
    told = await harness.send(**sent_form())
    assert (told.status, json.loads(told.body)) == (200, {"text": "hello"})
    assert b"passwd" not in told.sent_upstream[0]
    assert told.flow.request.headers["content-type"].startswith("multipart/form-data; boundary=")
    missing = {"path": "request.file", "reason": "audio"}
    assert missing in harness.sink.envelopes[0]["coverage"]["not_scanned"]


EMBEDDINGS = {"routes": (route(Dialect.EMBEDDINGS),)}
VECTORS = Upstream(
    pieces=[b'{"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.5]}],"model":"parrot","x":"y"}']
)


@pytest.mark.parametrize(
    ("given", "status", "code"),
    [("hi", 200, None), ([9906, 1917], 400, "field-invalid"), ([[1]], 400, "field-invalid")],
)
async def test_50_embeddings_are_of_text(given, status, code):
    told = await ready_harness(**EMBEDDINGS).send(
        {"model": "parrot", "input": given}, target=b"/v1/embeddings", upstream=VECTORS
    )
    assert (told.status, told.code, len(told.sent_upstream)) == (status, code, 1 if status == 200 else 0)
    assert b'"x"' not in told.body


HIDDEN = (
    (b"Content-Type", b"application/json"),
    (b"Set-Cookie", b"a=marzipan"),
    (b"Location", b"http://10.0.0.7/marzipan"),
    (b"Server-Timing", b"marzipan;dur=5"),
    (b"X-Upstream", b"marzipan"),
    (b"Gatehouse-Warning", b"marzipan"),
    (b"x-request-id", b"marzipan"),
)


@pytest.mark.parametrize(
    "upstream",
    [
        pytest.param(Upstream(headers=HIDDEN, pieces=plain_answer("hi").pieces), id="plain"),
        pytest.param(Upstream(status=500, headers=HIDDEN, pieces=[b'{"error":"marzipan"}']), id="error"),
        pytest.param(Upstream(status=302, headers=HIDDEN), id="redirect"),
        pytest.param(
            Upstream(
                headers=((b"Content-Type", b"text/event-stream"), *HIDDEN[1:]), pieces=streamed_answer("hi").pieces
            ),
            id="stream",
        ),
    ],
)
async def test_63_no_header_field_of_the_upstream_leaves(upstream):
    told = await ready_harness().send(chat("hi", stream=True), upstream=upstream)
    assert told.status is not None
    assert b"marzipan" not in told.body
    assert not [field for field in told.flow.response.headers.fields if b"marzipan" in field[1]]


async def test_upstream_without_embeddings_is_our_own_error():
    told = await ready_harness(**EMBEDDINGS).send(
        {"model": "parrot", "input": "hi"},
        target=b"/v1/embeddings",
        upstream=Upstream(status=404, pieces=[b'{"detail":"Not Found by leaky/1.0"}']),
    )
    assert (told.status, told.code) == (400, "upstream-refused")
    assert b"leaky" not in told.body


async def test_21_spoofable_headers_decide_nothing_and_go_nowhere():
    harness = ready_harness()
    spoofed = extra(
        (b"X-Original-URL", b"/metrics"),
        (b"X-Rewrite-URL", b"/metrics"),
        (b"X-HTTP-Method-Override", b"GET"),
        (b"X-Forwarded-Host", b"evil.invalid"),
    )
    told = await harness.send(BODY, **spoofed)
    assert told.status == 200
    assert not [
        name
        for name, _ in told.flow.request.headers.fields
        if name.lower().startswith(b"x-") and name != b"x-request-id"
    ]
    assert harness.sink.envelopes[0]["http"]["route"] == "chat"


async def test_16_headers_named_as_hop_by_hop_keep_their_meaning():
    told = await ready_harness().send(BODY, **extra((b"Connection", b"Authorization, close")))
    assert told.status == 200
    assert b"connection" not in {name.lower() for name, _ in told.flow.request.headers.fields}


@pytest.mark.parametrize("field", [(b"Content-Length", b"3"), (b"Transfer-Encoding", b"chunked")])
async def test_get_takes_no_body(field):
    told = await ready_harness().send(None, method="GET", target=b"/v1/models", headers=[*head(None), field])
    assert (told.status, told.code) == (400, "body-not-permitted")


async def test_12_declared_size_is_refused_on_the_head():
    harness = ready_harness()
    fields_ = [*head(None), (b"Content-Type", b"application/json"), (b"Content-Length", b"20001")]
    told = await harness.send(BODY, headers=fields_)
    assert (told.status, told.code, told.exchange.bytes_in) == (413, "body-too-large", 0)


async def test_refused_field_is_named_in_our_words_only():
    harness = ready_harness()
    told = await harness.send(**part(type="image_url", image_url={"url": "http://evil.invalid/"}))
    assert told.message.endswith("Field: messages.content.image_url.")
    told = await harness.send(**fields(marzipan_recipe=1))
    assert b"marzipan" not in told.body


@pytest.mark.parametrize(
    ("request_", "want"),
    [
        pytest.param({"headers": [], "target": b"//", "fault": "ambiguous-framing"}, "ambiguous-framing", id="framing"),
        pytest.param({"headers": [], "target": b"//x"}, "credentials-missing", id="identity-before-path"),
        pytest.param({"target": b"//x", "headers": head(None)}, "path-not-canonical", id="path-before-route"),
        pytest.param({"target": b"/x", "headers": head(None)}, "route-not-listed", id="route-before-type"),
        pytest.param(
            {"headers": [*head(None), (b"Content-Length", b"99999")]}, "body-too-large", id="size-before-type"
        ),
        pytest.param({"headers": head(None), "body": b"{"}, "media-type-not-permitted", id="type-before-body"),
        pytest.param(body('{"model":"nobody"}'), "field-invalid", id="body-before-policy"),
    ],
)
async def test_refusals_come_in_their_order(request_, want):
    assert (await ready_harness().send(**({"body": BODY} | request_))).code == want
