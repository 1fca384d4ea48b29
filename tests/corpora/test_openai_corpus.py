# SPDX-License-Identifier: Apache-2.0
"""Interactions that were recorded with OpenAI's servers pass a node under the shipped policy unharmed, in both directions.

What a detector of the shipped policy takes out, and `logprobs`, which would spell it again, are the only differences.
"""

import gzip
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from policies.library import pack
from tests import responses
from tests.corpora.replaying_upstream import ReplayingUpstream
from tests.policy_documents import alice_may
from tests.running_node import RunningNode, running_node

pytestmark = [pytest.mark.corpus, pytest.mark.slow, pytest.mark.timeout(300)]

SEED = 20_261_121
ASKED = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Say it."}], "stream": True}


@pytest.fixture(scope="module")
def recorded(corpora: Path) -> list[dict[str, Any]]:
    with gzip.open(corpora / "openai" / "http_interactions.jsonl.gz", "rt", encoding="utf-8") as rows:
        return [json.loads(row) for row in rows]


@pytest.fixture(scope="module")
def upstream() -> Iterator[ReplayingUpstream]:
    with ReplayingUpstream().running() as running:
        yield running


@pytest.fixture(scope="module")
def node(tmp_path_factory, upstream) -> Iterator[RunningNode]:
    documents = {
        **pack("baseline"),
        "access.yaml": alice_may("chat.completions", "responses", "embeddings", models="*"),
    }
    del documents["standard-limits.yaml"]  # two requests a second are not what is measured here
    folder = tmp_path_factory.mktemp("openai")
    with running_node(folder, documents, upstream_url=f"http://127.0.0.1:{upstream.port}") as running:
        yield running


def of_path(recorded, path: str, *, status: int = 200) -> list[dict[str, Any]]:
    found = [row for row in recorded if row["path"] == path and row["status"] == status]
    assert found
    return found


def asked(row: dict[str, Any]) -> dict[str, Any]:
    """Return the request of a row. Some rows hold an answer alone: they were asked for a stream of chat."""
    body = row["request_body"]
    return ASKED if body is None else json.loads(body) if isinstance(body, str) else body


def answered(row: dict[str, Any]) -> bytes:
    body = row["response_body"]
    return body.encode() if isinstance(body, str) else json.dumps(body).encode()


def cuts(body: bytes, how: str) -> list[bytes]:
    chance = random.Random(f"{SEED}{how}{len(body)}")
    if how == "whole" or not body:
        return [body]
    if how == "events":
        return [event + b"\n\n" for event in body.split(b"\n\n") if event]
    pieces = []
    while body:
        size = chance.choice((1, 7, 100, 1_000, 9_000))
        pieces.append(body[:size])
        body = body[size:]
    return pieces


def ask(node: RunningNode, upstream: ReplayingUpstream, row: dict[str, Any], *, how: str = "whole") -> httpx.Response:
    media_type = "text/event-stream" if row["sse"] else "application/json"
    upstream.answer(status=row["status"], media_type=media_type, pieces=cuts(answered(row), how))
    with httpx.Client(trust_env=False, timeout=20) as client:
        return client.post(
            f"http://127.0.0.1:{node.port}{row['path']}",
            json=asked(row),
            headers={"Authorization": f"Bearer {node.key}"},
        )


def without_logprobs(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: None if name == "logprobs" else without_logprobs(member) for name, member in value.items()}
    return [without_logprobs(member) for member in value] if isinstance(value, list) else value


def folded(body: bytes) -> dict[str, Any]:
    """Return all that a stream says, however it is divided into events: texts joined, everything else kept."""
    told: dict[str, Any] = {}
    lines = [line[5:].strip() for line in body.replace(b"\r\n", b"\n").split(b"\n") if line.startswith(b"data:")]
    for line in lines:
        if line == b"[DONE]":
            told["done"] = told.get("done", 0) + 1
        else:
            _fold(without_logprobs(json.loads(line)), "", told)
    return told


def _fold(value: Any, at: str, told: dict[str, Any]) -> None:
    if isinstance(value, dict):
        # An event may repeat what stands beside its text; `obfuscation` is padding of the length of what was cut.
        for name, member in value.items():
            if name != "obfuscation":
                _fold(member, f"{at}.{name}", told)
    elif isinstance(value, list):
        for number, member in enumerate(value):
            index = member.get("index", number) if isinstance(member, dict) else number
            _fold(member, f"{at}[{index}]", told)
    elif isinstance(value, str) and at.rpartition(".")[2] in ("content", "refusal", "arguments"):
        told[at] = told.get(at, "") + value
    elif value is not None:
        told.setdefault(at, value)


@pytest.mark.parametrize("how", ["whole", "events", "at-random"])
def test_recorded_streams_of_chat_pass_unharmed(recorded, node, upstream, how):
    rows = [row for row in of_path(recorded, "/v1/chat/completions") if row["sse"]]
    for row in rows:
        told = ask(node, upstream, row, how=how)
        assert told.status_code == 200, (row["id"], told.text)
        assert upstream.bodies == [asked(row)], row["id"]
        assert folded(told.content) == folded(answered(row)), row["id"]
    assert len(rows) == 24


def test_recorded_answers_of_chat_pass_unharmed(recorded, node, upstream):
    rows = [row for row in of_path(recorded, "/v1/chat/completions") if not row["sse"]]
    for row in rows:
        told = ask(node, upstream, row)
        assert told.status_code == 200, (row["id"], told.text)
        assert upstream.bodies == [asked(row)], row["id"]
        assert told.json() == without_logprobs(json.loads(answered(row))), row["id"]
    assert len(rows) == 20


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/embeddings"])
def test_what_the_upstream_refused_is_told_in_our_words(recorded, node, upstream, path):
    for row in of_path(recorded, path, status=404):
        told = ask(node, upstream, row)
        assert (told.status_code, told.json()["error"]["code"]) == (400, "upstream-refused")
        assert json.loads(answered(row))["error"]["message"] not in told.text


def test_recorded_embeddings_pass_unharmed(recorded, node, upstream):
    rows = of_path(recorded, "/v1/embeddings")
    for row in rows:
        told = ask(node, upstream, row)
        assert told.status_code == 200, (row["id"], told.text)
        assert upstream.bodies == [asked(row)], row["id"]
        assert told.json() == json.loads(answered(row)), row["id"]
    assert len(rows) == 8


def without_padding(told: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the events that tell no piece of a text, without what depends on how many pieces there are."""
    return [{**each, "sequence_number": 0} for each in told if not each["type"].endswith(".delta")]


@pytest.mark.parametrize("how", ["whole", "events", "at-random"])
def test_recorded_streams_of_responses_pass_unharmed(recorded, node, upstream, how):
    rows = [row for row in of_path(recorded, "/v1/responses") if row["sse"]]
    for row in rows:
        told = ask(node, upstream, row, how=how)
        assert told.status_code == 200, (row["id"], told.text)
        assert upstream.bodies == [asked(row)], row["id"]
        got, sent = responses.events(told.content), responses.events(answered(row))
        assert responses.texts(got) == responses.texts(sent), row["id"]
        assert without_padding(got) == without_padding(sent), row["id"]
    assert len(rows) == 9


def test_recorded_answers_of_responses_pass_unharmed(recorded, node, upstream):
    rows = [row for row in of_path(recorded, "/v1/responses") if not row["sse"]]
    for row in rows:
        told = ask(node, upstream, row)
        assert told.status_code == 200, (row["id"], told.text)
        assert upstream.bodies == [asked(row)], row["id"]
        assert told.json() == json.loads(answered(row)), row["id"]
    assert len(rows) == 11


def test_a_refused_response_is_told_in_our_words(recorded, node, upstream):
    (row,) = of_path(recorded, "/v1/responses", status=400)
    told = ask(node, upstream, row)
    assert (told.status_code, told.json()["error"]["code"]) == (400, "upstream-refused")
    assert json.loads(answered(row))["error"]["message"] not in told.text
