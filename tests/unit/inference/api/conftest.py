# SPDX-License-Identifier: Apache-2.0
"""The application in this process, over the real engine and the parrot."""

import httpx
import pytest

from inference.api.admission import ServedModel
from inference.api.app import InferenceApi
from inference.embeddings.bundled import bundled_encoder
from inference.engine import Engine
from inference.generation import generate
from inference.serving import open_serving
from inference.settings import ModelSettings, ServingSettings


@pytest.fixture
def engine(parrot):
    def run(job, on_text, is_cancelled):
        return generate(parrot, job, on_text=on_text, is_cancelled=is_cancelled)

    engine = Engine(run, queue_size=4)
    engine.start()
    yield engine
    engine.stop(timeout_s=10)


@pytest.fixture
def served(engine, parrot):
    return ServedModel(
        names=("parrot", "parrot-restricted"),
        prompts=parrot.prompts,
        context_tokens=parrot.context_tokens,
        digest=parrot.digest,
        queue_size=4,
        engine=engine,
    )


@pytest.fixture
async def client(served):
    api = InferenceApi(models=(served,), clock=lambda: 1_795_000_000.5)
    transport = httpx.ASGITransport(app=api.application())
    async with httpx.AsyncClient(transport=transport, base_url="http://parrot") as client:
        yield client


@pytest.fixture
def chat(client):
    """Asks the parrot to repeat a text."""

    async def ask(text="hello", **more):
        message = {"role": "user", "content": text}
        return await client.post("/v1/chat/completions", json={"model": "parrot", "messages": [message], **more})

    return ask


@pytest.fixture(scope="module")
def serving(parrot_dir):
    """The parrot and the encoder that comes along."""
    models = (ModelSettings(names=("parrot",), directory=parrot_dir), bundled_encoder())
    serving = open_serving(ServingSettings(models=models))
    serving.start()
    yield serving
    serving.stop(timeout_s=10)
