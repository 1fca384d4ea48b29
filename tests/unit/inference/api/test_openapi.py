# SPDX-License-Identifier: Apache-2.0
"""Our answers against OpenAI's own OpenAPI document."""

import gzip
import json
from pathlib import Path

import httpx
import jsonschema
import pytest

pytestmark = pytest.mark.corpus


@pytest.fixture(scope="module")
def document(corpora: Path) -> dict:
    with gzip.open(corpora / "openai" / "openapi.min.json.gz") as file:
        return nulls_spelled_out(json.load(file))


def nulls_spelled_out(schema):
    """`nullable: true` is of OpenAPI 3.0 and means nothing to a validator of 3.1."""
    if isinstance(schema, list):
        return [nulls_spelled_out(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    plain = {key: nulls_spelled_out(value) for key, value in schema.items() if key != "nullable"}
    return {"anyOf": [plain, {"type": "null"}]} if schema.get("nullable") is True else plain


def require(document, name, body):
    schema = {"$ref": f"#/components/schemas/{name}", "components": document["components"]}
    jsonschema.Draft202012Validator(schema).validate(body)


def events(response) -> list[dict]:
    return [json.loads(line.removeprefix("data: ")) for line in response.text.split("\n\n")[:-2]]


@pytest.mark.parametrize("n", [1, 3])
async def test_chat_is_valid(document, chat, n):
    require(document, "CreateChatCompletionResponse", (await chat(n=n)).json())


@pytest.mark.parametrize("options", [None, {"include_usage": True}])
async def test_each_chat_chunk_is_valid(document, chat, options):
    chunks = events(await chat(stream=True, stream_options=options, n=2))
    assert len(chunks) >= 7
    for chunk in chunks:
        require(document, "CreateChatCompletionStreamResponse", chunk)


async def test_completion_is_valid_whole_and_streamed(document, client):
    asked = {"model": "parrot", "prompt": "hello"}
    require(document, "CreateCompletionResponse", (await client.post("/v1/completions", json=asked)).json())
    *pieces, closing = events(await client.post("/v1/completions", json=asked | {"stream": True}))
    require(document, "CreateCompletionResponse", closing)
    for piece in pieces:
        # The document has no null here, OpenAI's own streams do: nothing has finished yet.
        assert piece["choices"][0].pop("finish_reason") is None
        require(
            document,
            "CreateCompletionResponse",
            {**piece, "choices": [{**piece["choices"][0], "finish_reason": "stop"}]},
        )


async def test_response_is_valid_whole_and_in_events(document, client):
    kinds = {}
    for each in document["components"]["schemas"]["ResponseStreamEvent"]["anyOf"]:
        name = each["$ref"].rpartition("/")[2]
        (kind,) = document["components"]["schemas"][name]["properties"]["type"]["enum"]
        kinds[kind] = name
    for more, status in (({}, "completed"), ({"max_output_tokens": 2}, "incomplete")):
        asked = {"model": "parrot", "input": "hello", **more}
        whole = (await client.post("/v1/responses", json=asked)).json()
        require(document, "Response", whole)
        streamed = (await client.post("/v1/responses", json=asked | {"stream": True})).text
        told = [json.loads(block.partition("\ndata: ")[2]) for block in streamed.split("\n\n")[:-1]]
        for number, each in enumerate(told):
            require(document, kinds[each["type"]], each)
            assert each["sequence_number"] == number
        said = "".join(each["delta"] for each in told if each["type"].endswith("delta"))
        ended = told[-1]["response"]
        assert (whole["status"], ended["status"]) == (status, status)
        assert whole["output"][0]["content"] == ended["output"][0]["content"]
        assert said == ended["output"][0]["content"][0]["text"] == ("hello" if status == "completed" else "he")


@pytest.mark.parametrize("more", [{}, {"encoding_format": "float", "dimensions": 384}], ids=["plain", "all"])
async def test_embeddings_are_valid(document, serving, more):
    transport = httpx.ASGITransport(app=serving.application)
    async with httpx.AsyncClient(transport=transport, base_url="http://models") as client:
        asked = {"model": "all-minilm-l6-v2", "input": ["a cat", "a dog"], **more}
        require(document, "CreateEmbeddingResponse", (await client.post("/v1/embeddings", json=asked)).json())
        require(document, "ListModelsResponse", (await client.get("/v1/models")).json())


async def test_models_and_errors_are_valid(document, client, chat):
    require(document, "ListModelsResponse", (await client.get("/v1/models")).json())
    for response in (await chat(n=17), await client.get("/nothing"), await chat(model="none")):
        require(document, "ErrorResponse", response.json())
