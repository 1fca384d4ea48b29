# SPDX-License-Identifier: Apache-2.0
"""A replica, without Ray around it."""

import gc
import json

import pytest

from inference.cluster.exchange import Asked
from inference.cluster.replica import EngineNotReady, Replica
from inference.settings import ModelSettings, ServingSettings


@pytest.fixture
def settings(parrot_dir):
    return ServingSettings(models=(ModelSettings(names=("parrot",), directory=parrot_dir),))


def asked(**wishes: object) -> Asked:
    body = {"model": "parrot", "messages": [{"role": "user", "content": "Polly" * 100}], **wishes}
    return Asked(
        method="POST",
        path="/v1/chat/completions",
        query=b"",
        headers=((b"content-type", b"application/json"),),
        body=json.dumps(body).encode(),
    )


async def test_answers_as_the_server_does_and_says_how_it_was_started(settings):
    replica = Replica(settings)
    replica.check_health()
    assert settings == replica.settings()
    messages = [message async for batch in replica.answer(asked()) for message in batch]
    assert messages[0]["status"] == 200
    body = b"".join(message.get("body", b"") for message in messages)
    assert json.loads(body)["choices"][0]["message"]["content"] == "Polly" * 100
    assert messages[-1].get("more_body", False) is False


async def test_a_stream_that_is_closed_frees_the_engine_for_the_next(settings):
    replica = Replica(settings)
    stream = replica.answer(asked(stream=True))
    await anext(stream)
    await stream.aclose()
    # Behind a generation that went on, this one would wait for it.
    messages = [message async for batch in replica.answer(asked(max_tokens=1)) for message in batch]
    assert messages[0]["status"] == 200


async def test_tells_its_metrics_under_its_name(settings, monkeypatch):
    monkeypatch.setattr("inference.cluster.replica._name", lambda: "r1")
    name, page = Replica(settings).page()
    assert name == "r1"
    assert 'vllm:num_requests_running{engine="0",model_name="parrot"} 0.0' in page.decode()


async def test_is_not_healthy_when_its_engine_has_stopped(settings):
    replica = Replica(settings)
    replica._serving.stop(timeout_s=10)
    with pytest.raises(EngineNotReady):
        replica.check_health()


async def test_ends_its_engines_when_it_ends(settings):
    replica = Replica(settings)
    serving = replica._serving
    del replica
    gc.collect()
    assert not serving.is_ready
