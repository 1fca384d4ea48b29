# SPDX-License-Identifier: Apache-2.0
import httpx
import httpx2
import openai
import pytest

from inference.answer import EngineBusy, GenerationFailed

MODEL = "all-minilm-l6-v2"


@pytest.fixture
async def client(serving):
    transport = httpx.ASGITransport(app=serving.application)
    async with httpx.AsyncClient(transport=transport, base_url="http://models") as client:
        yield client


@pytest.fixture
async def openai_client(serving):
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=serving.application)) as http:
        yield openai.AsyncOpenAI(base_url="http://models/v1", api_key="x", http_client=http, max_retries=0)


async def embed(client, **more):
    return await client.post("/v1/embeddings", json={"model": MODEL, "input": "a cat", **more})


async def test_the_openai_package_reads_its_own_encoding_and_floats_alike(openai_client):
    packed = await openai_client.embeddings.create(model=MODEL, input=["a cat", "the tax law"])
    plain = await openai_client.embeddings.create(model=MODEL, input=["a cat", "the tax law"], encoding_format="float")
    assert [entry.index for entry in packed.data] == [0, 1]
    for left, right in zip(packed.data, plain.data, strict=True):
        assert len(left.embedding) == 384
        assert left.embedding == pytest.approx(right.embedding, abs=1e-6)
    assert packed.usage.prompt_tokens == packed.usage.total_tokens == 4 + 5


async def test_an_answer_names_the_weights_and_is_counted(client, serving):
    (encoder,) = serving.encoders
    response = await embed(client)
    assert response.headers["gatehouse-model-digest"] == encoder.digest
    transport = httpx.ASGITransport(app=serving.operations)
    async with httpx.AsyncClient(transport=transport, base_url="http://operations") as operations:
        page = (await operations.get("/metrics")).text
    assert f'gatehouse_inference_embedded_tokens_total{{model_name="{MODEL}"}}' in page


async def test_the_list_of_models_says_what_each_can_do(client):
    listed = {entry["id"]: entry["gatehouse"] for entry in (await client.get("/v1/models")).json()["data"]}
    assert (listed[MODEL]["dimensions"], listed[MODEL]["context_tokens"]) == (384, 256)
    assert "dimensions" not in listed["parrot"]


@pytest.mark.parametrize(
    ("path", "body", "want"),
    [
        pytest.param(
            "/v1/embeddings",
            {"model": "parrot", "input": "x"},
            ("model", "model_not_for_this_endpoint"),
            id="text-model",
        ),
        pytest.param(
            "/v1/completions", {"model": MODEL, "prompt": "x"}, ("model", "model_not_for_this_endpoint"), id="encoder"
        ),
        pytest.param(
            "/v1/embeddings",
            {"model": MODEL, "input": "cat " * 300},
            ("input", "context_length_exceeded"),
            id="too-long",
        ),
        pytest.param(
            "/v1/embeddings", {"model": MODEL, "input": ["cat " * 200] * 400}, ("input", "invalid_value"), id="too-much"
        ),
        pytest.param(
            "/v1/embeddings",
            {"model": MODEL, "input": "x", "dimensions": 64},
            ("dimensions", "unsupported_value"),
            id="cut",
        ),
    ],
)
async def test_what_a_model_does_not_do_is_refused_by_name(client, path, body, want):
    response = await client.post(path, json=body)
    error = response.json()["error"]
    assert (response.status_code, (error["param"], error["code"])) == (400, want)


async def test_an_unknown_model_is_404(client):
    assert (await embed(client, model="none")).status_code == 404


@pytest.mark.parametrize(("raised", "status"), [(EngineBusy(), 429), (GenerationFailed(), 500)])
async def test_what_the_engine_cannot_do_is_told(client, serving, monkeypatch, raised, status):
    async def fail(texts):
        raise raised

    monkeypatch.setattr(serving.encoders[0].engine, "embed", fail)
    assert (await embed(client)).status_code == status
