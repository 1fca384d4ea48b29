# SPDX-License-Identifier: Apache-2.0
"""The endpoint over a screen whose scorer is foretellable, in this process."""

import asyncio
import gzip
import json
import threading

import httpx
import jsonschema
import pytest
from prometheus_client import CollectorRegistry, generate_latest

from inference.api.app import InferenceApi
from inference.api.moderation_shape import NOT_EXAMINED
from inference.screen.judge import Judge
from inference.screen.question import Bounds
from inference.screening import screening_by
from tests.unit.inference.api.test_openapi import nulls_spelled_out
from tests.unit.inference.screen.fakes import THRESHOLDS, VERSIONS, FakeScorer, read_words


class Gate(FakeScorer):
    def __init__(self):
        super().__init__()
        self.begun = threading.Semaphore(0)
        self.go_on = threading.Event()
        self.go_on.set()
        self.fails = False

    def score(self, texts, origins):
        self.begun.release()
        assert self.go_on.wait(20)
        if self.fails:
            raise LookupError("unmistakable")
        return super().score(texts, origins)


@pytest.fixture
def gate():
    return Gate()


@pytest.fixture
def registry():
    return CollectorRegistry()


@pytest.fixture
def screening(gate, registry):
    judge = Judge(gate, versions=VERSIONS, thresholds=THRESHOLDS, bounds=Bounds(), read=read_words)
    screening = screening_by(judge, registry, on_gpu=False)
    screening.start()
    yield screening
    gate.go_on.set()
    screening.stop(timeout_s=10)


@pytest.fixture
async def client(screening):
    api = InferenceApi(
        models=(), clock=lambda: 0.0, moderations=screening.moderations, is_ready=lambda: screening.is_ready
    )
    transport = httpx.ASGITransport(app=api.application())
    async with httpx.AsyncClient(transport=transport, base_url="http://screen") as client:
        yield client


@pytest.fixture
def ask(client):
    async def ask(texts, **own):
        return await client.post("/v1/moderations", json={"input": texts, **({"gatehouse": own} if own else {})})

    return ask


def counted(registry, name):
    return next(
        float(line.rsplit(" ", 1)[1])
        for line in generate_latest(registry).decode().splitlines()
        if line.startswith(name + " ")
    )


async def test_answers_in_openais_shape_with_our_members(ask):
    body = (await ask(["fine", "EVIL"])).json()
    assert (body["model"], body["id"][:5]) == ("gatehouse-screen", "modr-")
    assert [each["flagged"] for each in body["results"]] == [False, True]
    assert body["gatehouse"] == {
        "versions": {"rules": "r", "structure": "s", "classifier": "fake/1"},
        "joined": None,
        "complete": True,
        "not_examined": list(NOT_EXAMINED),
    }
    assert body["results"][1]["gatehouse"] == {
        "score": 0.9,
        "label": "injection",
        "threshold": 0.5,
        "complete": True,
        "signals": [{"layer": "classifier", "name": "fake", "version": "1", "score": 0.9}],
        "windows": [{"start": 0, "end": 4, "view": "raw", "score": 0.9}],
    }


@pytest.mark.corpus
async def test_the_answer_is_valid_by_openais_document(ask, corpora):
    with gzip.open(corpora / "openai" / "openapi.min.json.gz") as file:
        document = nulls_spelled_out(json.load(file))
    schema = {"$ref": "#/components/schemas/CreateModerationResponse", "components": document["components"]}
    validator = jsonschema.Draft202012Validator(schema)
    validator.validate((await ask("EVIL")).json())
    validator.validate((await ask(["EVIL", "a"], joined=True)).json())
    result = document["components"]["schemas"]["CreateModerationResponse"]["properties"]["results"]["items"]
    assert set(NOT_EXAMINED) == set(result["properties"]["categories"]["required"])
    error = {"$ref": "#/components/schemas/ErrorResponse", "components": document["components"]}
    jsonschema.Draft202012Validator(error).validate((await ask(5)).json())


async def test_origins_and_joined_texts(ask):
    body = (await ask(["so EV", "IL end"], joined=True, origins=["tool-result", "tool-result"])).json()
    assert [each["flagged"] for each in body["results"]] == [False, False]
    assert [each["gatehouse"]["score"] for each in body["results"]] == [0.2, 0.2]
    joined = body["gatehouse"]["joined"]
    assert (joined["label"], joined["windows"][0]["view"]) == ("injection", "joined")


async def test_parts_of_one_message_have_one_result(ask):
    body = (await ask([{"type": "text", "text": "so EV"}, {"type": "text", "text": "IL end"}])).json()
    assert [each["flagged"] for each in body["results"]] == [True]
    assert body["gatehouse"]["joined"] is None


async def test_what_was_not_examined_is_flagged(ask):
    (result,) = (await ask("BOMB")).json()["results"]
    assert (result["flagged"], result["gatehouse"]["label"], result["gatehouse"]["complete"]) == (True, "benign", False)


async def test_a_deadline_gives_an_answer_that_is_not_complete(ask, gate, registry):
    gate.go_on.clear()
    response = await ask("fine", deadline_ms=30)
    assert (response.status_code, response.json()["gatehouse"]["complete"]) == (200, False)
    assert response.json()["results"][0]["flagged"] is True
    assert counted(registry, "gatehouse_screen_incomplete_total") == 1


async def test_too_many_questions_are_refused_and_other_endpoints_answer(ask, client, screening, gate, registry):
    gate.go_on.clear()
    waiting = [asyncio.create_task(ask(f"text {number}")) for number in range(300)]
    await asyncio.to_thread(gate.begun.acquire)
    while sum(task.done() for task in waiting) < 44:
        await asyncio.sleep(0.01)
    assert (await client.get("/healthz")).status_code == 200
    assert (await client.get("/readyz")).status_code == 200
    gate.go_on.set()
    answers = await asyncio.gather(*waiting)
    refused = [each for each in answers if each.status_code == 429]
    assert len(refused) == 44
    assert {(each.json()["error"]["code"], each.headers["retry-after"]) for each in refused} == {
        ("screen_overloaded", "1")
    }
    assert counted(registry, 'gatehouse_screen_questions_total{outcome="overloaded"}') == 44
    assert counted(registry, 'gatehouse_screen_questions_total{outcome="benign"}') == 256


async def test_a_failing_classifier_is_a_500_and_then_not_ready(ask, client, gate, capfd):
    gate.fails = True
    for number in range(3):
        response = await ask(f"unmistakable {number}")
        assert (response.status_code, response.json()["error"]["code"]) == (500, "internal_error")
        assert "unmistakable" not in response.text
    assert (await ask("more")).status_code == 503
    assert (await client.get("/readyz")).status_code == 503
    assert "unmistakable" not in "".join(capfd.readouterr())


async def test_a_client_that_leaves_ends_its_question(screening, gate, registry):
    body = json.dumps({"input": "left"}).encode()
    arriving = [
        {"type": "http.request", "body": body, "more_body": False},
        {"type": "http.disconnect"},
    ]
    sent = []

    async def receive():
        if len(arriving) == 1:
            await asyncio.to_thread(gate.begun.acquire)
        return arriving.pop(0)

    async def send(message):
        sent.append(message)

    gate.go_on.clear()
    api = InferenceApi(models=(), clock=lambda: 0.0, moderations=screening.moderations)
    headers = [(b"content-type", b"application/json")]
    scope = {"type": "http", "method": "POST", "path": "/v1/moderations", "headers": headers, "query_string": b""}
    await asyncio.wait_for(api.application()(scope, receive, send), 10)
    assert counted(registry, 'gatehouse_screen_questions_total{outcome="left"}') == 1


async def test_neither_texts_nor_judgements_are_logged(ask, capfd):
    await ask("unmistakable EVIL")
    await ask(["unmistakable", 5])
    assert "unmistakable" not in "".join(capfd.readouterr())


async def test_without_a_screen_there_is_no_such_path():
    api = InferenceApi(models=(), clock=lambda: 0.0)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=api.application()), base_url="http://x") as client:
        assert (await client.post("/v1/moderations", json={"input": "a"})).status_code == 404
