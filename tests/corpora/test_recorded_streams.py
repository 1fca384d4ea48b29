# SPDX-License-Identifier: Apache-2.0
"""Answers that OpenAI's servers gave, as they came, and with secrets planted into them."""

import gzip
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from policies.contracts.snapshot import Dialect
from policies.redaction.engine import ActiveRules
from proxy_addons.core.answers import redact_answer
from tests.streams import CARD, EMAIL, KEY, events, left, one_of_each_group, rules, stream, texts, wire

pytestmark = pytest.mark.corpus

PLANTED = f" Ask {EMAIL}, pay with {CARD}, and log in as {KEY}. "
SEED = 20_261_120
WORDS = ("role", "type", "id", "name", "finish_reason", "object", "model", "system_fingerprint", "service_tier")


@pytest.fixture(scope="module")
def recorded(corpora: Path) -> list[dict[str, Any]]:
    with gzip.open(corpora / "openai" / "http_interactions.jsonl.gz", "rt", encoding="utf-8") as rows:
        interactions = [json.loads(row) for row in rows]
    return [row for row in interactions if row["status"] == 200 and row["path"].endswith("/completions")]


def streams(recorded: list[dict[str, Any]]) -> list[bytes]:
    found = [row["response_body"].encode() for row in recorded if row["sse"] and row["sse_done_marker"]]
    assert len(found) >= 20
    return found


def answers(recorded: list[dict[str, Any]]) -> list[dict[str, Any]]:
    found = [as_json(row["response_body"]) for row in recorded if not row["sse"]]
    assert len(found) >= 20
    return found


def as_json(body: Any) -> Any:
    return json.loads(body) if isinstance(body, str) else body


def sent(body: bytes) -> list[Any]:
    lines = [line.removeprefix(b"data: ") for line in body.splitlines() if line.startswith(b"data: {")]
    return [json.loads(line) for line in lines]


def at_random(body: bytes, chance: random.Random) -> Iterator[bytes]:
    while body:
        size = chance.choice((1, 7, 100, 1_000, 9_000))
        yield body[:size]
        body = body[size:]


def spoken(output: list[Any]) -> dict[str, str]:
    """Return the texts of an answer: not its ids and kinds, nor what spells the text again or the dialect lacks."""
    put = texts(each for each in output if isinstance(each, dict))
    return {
        path: text
        for path, text in put.items()
        if text and path.startswith("choices") and "logprobs" not in path and path.rpartition(".")[2] not in WORDS
    }


@pytest.mark.parametrize("active", [ActiveRules.none(), rules()], ids=["no-rules", "every-detector"])
def test_streams_pass_with_texts_calls_and_usage_unchanged(recorded, active):
    calls = 0
    for body in streams(recorded):
        enforcer = stream(active)
        output = events(b"".join(left(at_random(body, random.Random(SEED)), enforcer)))
        assert enforcer.cut is None
        assert enforcer.findings == ()
        assert spoken(output) == spoken(sent(body))
        assert [each["usage"] for each in output[:-1] if each.get("usage")] == [
            each["usage"] for each in sent(body) if each.get("usage")
        ]
        assert [reasons(output[:-1]), "[DONE]"] == [reasons(sent(body)), output[-1]]
        calls += "arguments" in str(spoken(output).keys())
    assert calls >= 3


def reasons(answered: list[Any]) -> list[tuple[int, str]]:
    choices = [choice for each in answered for choice in each["choices"]]
    return [(choice["index"], choice["finish_reason"]) for choice in choices if choice.get("finish_reason")]


def test_secrets_planted_into_streams_are_redacted(recorded):
    active = rules()
    planted_in = 0
    for seed, body in enumerate(streams(recorded)):
        chance = random.Random(SEED + seed)
        answered = planted(sent(body), chance)
        if answered is None:
            continue
        planted_in += 1
        want = {path: active.text(text).text for path, text in spoken(answered).items() if path.endswith("content")}
        assert "[redacted:payment-card]" in str(want)
        output = b"".join(left(at_random(wire(*answered), chance), stream(active)))
        assert want.items() <= spoken(events(output)).items()
        assert not [secret for secret in (EMAIL, CARD, KEY) if secret.encode() in output]
    assert planted_in >= 10


def test_a_secret_of_each_group_is_redacted_in_every_stream(recorded):
    active = rules()
    samples = one_of_each_group()
    assert len(samples) > 10
    tried = 0
    for seed, body in enumerate(streams(recorded)):
        chance = random.Random(SEED + seed)
        for sample in samples:
            answered = planted(sent(body), chance, f" Look: {sample}\n")
            if answered is None:
                continue
            tried += 1
            want = {path: active.text(text).text for path, text in spoken(answered).items()}
            assert not [text for text in want.values() if sample in text]
            assert "[redacted:" in str(want)
            output = b"".join(left(at_random(wire(*answered), chance), stream(active)))
            assert want.items() <= spoken(events(output)).items(), sample
    assert tried > 100


def planted(answered: list[Any], chance: random.Random, secrets: str = PLANTED) -> list[Any] | None:
    """Return the events with the secrets among their text, spread over as many events as there are."""
    deltas = [choice["delta"] for each in answered for choice in each["choices"] if choice["index"] == 0]
    carriers = [delta for delta in deltas if delta.get("content")]
    if len(carriers) < 2:
        return None
    first = chance.randrange(len(carriers) - 1)
    carriers = carriers[first:]
    size = len(secrets) // len(carriers) + 1
    for number, delta in enumerate(carriers):
        delta["content"] = secrets[number * size : (number + 1) * size]
    return answered


def redacted(answer: Any, active: ActiveRules) -> Any:
    body = json.dumps(answer, ensure_ascii=False).encode()
    return json.loads(redact_answer(body, dialect=Dialect.CHAT, rules=active, max_bytes=10**6).body)


@pytest.mark.parametrize("active", [ActiveRules.none(), rules()], ids=["no-rules", "every-detector"])
def test_answers_pass_unchanged(recorded, active):
    for answer in answers(recorded):
        want = json.loads(json.dumps(answer))
        if active.enforcing:
            for choice in want["choices"]:
                choice.update({"logprobs": None} if "logprobs" in choice else {})
        assert want == redacted(answer, active)


def test_secrets_planted_into_answers_are_redacted(recorded):
    in_text = in_arguments = 0
    for answer in answers(recorded):
        for choice in answer["choices"]:
            message = choice["message"]
            if message.get("content") is not None:
                in_text += 1
                message["content"] += PLANTED
            for call in message.get("tool_calls") or []:
                in_arguments += 1
                call["function"]["arguments"] = json.dumps({"note": PLANTED}).replace("4111", "\\u0034111")
        left_of_it = redacted(answer, rules())
        assert not [secret for secret in (EMAIL, CARD, KEY) if secret in json.dumps(left_of_it, ensure_ascii=False)]
        for choice in left_of_it["choices"]:
            for call in choice["message"].get("tool_calls") or []:
                assert json.loads(call["function"]["arguments"]) == {"note": rules().text(PLANTED).text}
    assert (in_text > 5, in_arguments > 3) == (True, True)
