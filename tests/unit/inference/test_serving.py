# SPDX-License-Identifier: Apache-2.0
"""The application as whoever runs it gets it: one call with settings, no sockets."""

import httpx
import pytest

from inference.serving import open_serving
from inference.settings import ModelRefused, ModelSettings, ServingSettings


@pytest.fixture(scope="module")
def serving(parrot_dir, tiny_dir):
    models = (
        ModelSettings(names=("parrot", "polly"), directory=parrot_dir, queue_size=3),
        ModelSettings(names=("tiny",), directory=tiny_dir, max_context=40),
    )
    serving = open_serving(ServingSettings(models=models), clock=lambda: 1_795_000_000.5)
    assert not serving.is_ready
    serving.start()
    yield serving
    serving.stop(timeout_s=10)
    assert not serving.is_ready


@pytest.fixture
async def client(serving):
    transport = httpx.ASGITransport(app=serving.application)
    async with httpx.AsyncClient(transport=transport, base_url="http://models") as client:
        yield client


async def test_lists_each_model_with_its_digest_and_limits(client, serving):
    parrot, tiny = serving.models
    listed = (await client.get("/v1/models")).json()["data"]
    limits = {entry["id"]: entry["gatehouse"] for entry in listed}
    assert limits == {
        "parrot": {"digest": parrot.digest, "context_tokens": 2048, "queue_size": 3},
        "polly": {"digest": parrot.digest, "context_tokens": 2048, "queue_size": 3},
        "tiny": {"digest": tiny.digest, "context_tokens": 40, "queue_size": 64},
    }
    assert parrot.digest != tiny.digest


async def test_each_model_answers_to_its_own_name_within_its_own_limit(client):
    said = (await client.post("/v1/completions", json={"model": "polly", "prompt": "x" * 60})).json()
    assert said["choices"][0]["text"] == "x" * 60
    for prompt, want in (("x" * 60, 400), ("x", 200)):
        assert want == (await client.post("/v1/completions", json={"model": "tiny", "prompt": prompt})).status_code
    unknown = await client.post("/v1/completions", json={"model": "Parrot", "prompt": "x"})
    assert (unknown.status_code, unknown.json()["error"]["code"]) == (404, "model_not_found")


def test_a_model_that_cannot_be_loaded_refuses_the_whole(parrot_dir, tmp_path):
    models = (
        ModelSettings(names=("parrot",), directory=parrot_dir),
        ModelSettings(names=("none",), directory=tmp_path / "none"),
    )
    with pytest.raises(ModelRefused, match="none is not a directory"):
        open_serving(ServingSettings(models=models))
