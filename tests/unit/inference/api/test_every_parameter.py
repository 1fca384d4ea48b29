# SPDX-License-Identifier: Apache-2.0
"""Each parameter that OpenAI's document knows is honoured or refused by its name: none is ignored in silence."""

import gzip
import json
from pathlib import Path
from typing import Any

import httpx
import pytest

pytestmark = pytest.mark.corpus

USER = {"role": "user", "content": "hi"}
SHARED = {"model", "max_tokens", "n", "temperature", "top_p", "seed", "stop", "stream", "stream_options", "user"}
# What is honoured, by endpoint: (schema, a request without any option, the options that are honoured).
ENDPOINTS = {
    "/v1/chat/completions": (
        "CreateChatCompletionRequest",
        {"model": "parrot", "messages": [USER]},
        SHARED | {"messages", "max_completion_tokens"},
    ),
    "/v1/completions": ("CreateCompletionRequest", {"model": "parrot", "prompt": "hi"}, SHARED | {"prompt"}),
    "/v1/responses": (
        "CreateResponse",
        {"model": "parrot", "input": "hi"},
        (SHARED - {"n", "seed", "stop", "max_tokens"}) | {"input", "instructions", "max_output_tokens"},
    ),
    "/v1/embeddings": (
        "CreateEmbeddingRequest",
        {"model": "all-minilm-l6-v2", "input": "hi"},
        {"model", "input", "encoding_format", "dimensions", "user"},
    ),
}
# No value here is the neutral one of any parameter.
STRANGE = ("surprise", 7, 0.123, True, ["surprise"], {"surprise": 1})
NEUTRAL_FLAGS = {"parallel_tool_calls"}  # both of its values mean what the server does anyway


@pytest.fixture(scope="module")
def schemas(corpora: Path) -> dict[str, Any]:
    with gzip.open(corpora / "openai" / "openapi.min.json.gz") as file:
        return json.load(file)["components"]["schemas"]


def properties(schemas: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    named = schemas[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema
    found = dict(named.get("properties", {}))
    for part in named.get("allOf", []):
        found |= properties(schemas, part)
    return found


@pytest.fixture
async def client(serving):
    transport = httpx.ASGITransport(app=serving.application)
    async with httpx.AsyncClient(transport=transport, base_url="http://models") as client:
        yield client


@pytest.mark.parametrize("path", ENDPOINTS)
async def test_a_parameter_that_is_not_honoured_is_refused_by_its_name(schemas, client, path):
    schema, plain, honoured = ENDPOINTS[path]
    known = set(properties(schemas, schemas[schema]))
    assert len(known) > 4
    wrong = []
    for name in sorted(known - honoured):
        for value in STRANGE:
            if name in NEUTRAL_FLAGS and value is True:
                continue
            answer = await client.post(path, json={**plain, name: value})
            param = answer.json()["error"]["param"] if answer.status_code == 400 else None
            if param is None or not (param == name or param.startswith(f"{name}.")):
                wrong.append((name, value, answer.status_code, param))
        absent = await client.post(path, json={**plain, name: None})
        if absent.status_code != 200:
            wrong.append((name, None, absent.status_code, absent.text))
    assert wrong == []


@pytest.mark.parametrize("path", ENDPOINTS)
async def test_a_parameter_that_is_honoured_is_not_taken_as_anything(client, path):
    _, plain, honoured = ENDPOINTS[path]
    wrong = []
    for name in sorted(honoured):
        answer = await client.post(path, json={**plain, name: {"surprise": 1}})
        error = answer.json().get("error", {})
        if answer.status_code != 400 or not str(error.get("param")).startswith(name):
            wrong.append((name, answer.status_code, error))
    assert wrong == []


async def test_a_member_of_a_message_is_honoured_or_refused_by_its_name(schemas, client):
    honoured = {"role", "content", "name"}
    wrong = []
    for schema in sorted(schemas):
        if not (schema.startswith("ChatCompletionRequest") and schema.endswith("Message")):
            continue
        members = properties(schemas, schemas[schema])
        if "role" not in members:
            continue
        (role,) = members["role"]["enum"]
        own = honoured | ({"tool_call_id"} if role == "tool" else set())
        for name in sorted(set(members) - own):
            plain = {"role": role, "content": "hi", **({"tool_call_id": "c"} if role == "tool" else {})}
            asked = {"model": "parrot", "messages": [USER, {**plain, name: {"surprise": 1}}]}
            answer = await client.post("/v1/chat/completions", json=asked)
            # `function` is a role that OpenAI has given up; here it never was one.
            want = "messages[1].role" if role == "function" else f"messages[1].{name}"
            if (answer.status_code, answer.json().get("error", {}).get("param")) != (400, want):
                wrong.append((role, name, answer.status_code, answer.text))
    assert wrong == []


URL = "http://127.0.0.1:1/secret.png"


@pytest.mark.parametrize(
    ("path", "body", "param"),
    [
        pytest.param(
            "/v1/chat/completions",
            {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": URL}}]}]},
            "messages[0].content[0].type",
            id="image",
        ),
        pytest.param(
            "/v1/chat/completions",
            {"messages": [{"role": "user", "content": [{"type": "file", "file": {"file_url": URL}}]}]},
            "messages[0].content[0].type",
            id="file",
        ),
        pytest.param(
            "/v1/chat/completions",
            {"messages": [{"role": "user", "content": [{"type": "text", "text": "x", "image_url": URL}]}]},
            "messages[0].content[0].image_url",
            id="image-beside-text",
        ),
        pytest.param(
            "/v1/responses",
            {"input": [{"role": "user", "content": [{"type": "input_image", "image_url": URL}]}]},
            "input[0].content[0].type",
            id="image-of-a-response",
        ),
        pytest.param(
            "/v1/responses",
            {"input": [{"role": "user", "content": [{"type": "input_file", "file_url": URL}]}]},
            "input[0].content[0].type",
            id="file-of-a-response",
        ),
        pytest.param("/v1/embeddings", {"input": [{"image_url": URL}]}, "input[0]", id="image-to-embed"),
    ],
)
async def test_no_url_is_fetched(client, monkeypatch, path, body, param):
    def connect(self, address):
        pytest.fail(f"connects to {address}")

    monkeypatch.setattr("socket.socket.connect", connect)
    monkeypatch.setattr("socket.socket.connect_ex", connect)
    model = "all-minilm-l6-v2" if path == "/v1/embeddings" else "parrot"
    refused = await client.post(path, json={"model": model, **body})
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, param)


async def test_a_url_in_a_text_is_a_text(client, monkeypatch):
    monkeypatch.setattr("socket.socket.connect", lambda *_: pytest.fail("connects"))
    asked = {"model": "parrot", "messages": [{"role": "user", "content": URL}]}
    said = (await client.post("/v1/chat/completions", json=asked)).json()["choices"][0]["message"]["content"]
    assert said == URL
