# SPDX-License-Identifier: Apache-2.0
"""The application in this process, over the real engine and the parrot."""

import httpx
import pytest

from inference.api.admission import ServedModel
from inference.api.app import InferenceApi
from inference.batching.opening import open_engine
from inference.embeddings.bundled import bundled_encoder
from inference.serving import open_serving
from inference.settings import ModelSettings, ServingSettings


@pytest.fixture(scope="session")
def ready_engine(parrot):
    """Gives the engine that runs already, or a new one where a test has stopped it: to stop one takes a second."""
    started = []

    def ready():
        if not started or not started[-1].is_ready:
            started.append(open_engine(parrot, queue_size=4, cache_mib=32))
            started[-1].start()
        return started[-1]

    yield ready
    for engine in started:
        engine.stop(timeout_s=10)


@pytest.fixture
def engine(ready_engine):
    return ready_engine()


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
