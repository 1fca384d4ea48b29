# SPDX-License-Identifier: Apache-2.0
"""Responses that OpenAI's servers gave: as they came, with secrets planted into them, and by the published schema."""

import gzip
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from policies.redaction.engine import ActiveRules
from proxy_addons.core.responses_answer import redact_response
from tests.responses import answered, called, events, left, spoken, stream, texts, wholes, wire
from tests.streams import CARD, EMAIL, KEY, by_length, one_of_each_group, rules

pytestmark = pytest.mark.corpus

PLANTED = f" Ask {EMAIL}, pay with {CARD}, and log in as {KEY}. "
SEED = 20_261_121


@pytest.fixture(scope="module")
def recorded(corpora: Path) -> list[dict[str, Any]]:
    with gzip.open(corpora / "openai" / "http_interactions.jsonl.gz", "rt", encoding="utf-8") as rows:
        interactions = [json.loads(row) for row in rows]
    return [row for row in interactions if row["status"] == 200 and row["path"] == "/v1/responses"]


@pytest.fixture(scope="module")
def schemas(corpora: Path) -> dict[str, Any]:
    with gzip.open(corpora / "openai" / "openapi.min.json.gz", "rt", encoding="utf-8") as document:
        return json.load(document)["components"]


def streams(recorded: list[dict[str, Any]]) -> list[bytes]:
    found = [row["response_body"].encode() for row in recorded if row["sse"]]
    assert len(found) == 9
    return found


def answers(recorded: list[dict[str, Any]]) -> list[dict[str, Any]]:
    bodies = [row["response_body"] for row in recorded if not row["sse"]]
    assert len(bodies) == 11
    return [json.loads(body) if isinstance(body, str) else body for body in bodies]


def at_random(body: bytes, chance: random.Random) -> Iterator[bytes]:
    while body:
        size = chance.choice((1, 7, 100, 1_000, 9_000))
        yield body[:size]
        body = body[size:]


@pytest.mark.parametrize("active", [ActiveRules.none(), rules()], ids=["no-rules", "every-detector"])
def test_streams_pass_with_texts_and_everything_else_unchanged(recorded, active):
    for number, body in enumerate(streams(recorded)):
        enforcer = stream(active)
        output = left(at_random(body, random.Random(SEED + number)), enforcer)
        assert (enforcer.cut, enforcer.findings) == (None, ())
        got, sent = events(output), events(body)
        assert (texts(got), wholes(got)) == (texts(sent), wholes(sent))
        assert got[-1]["response"] == sent[-1]["response"]


def planted(told: list[dict[str, Any]], chance: random.Random, secrets: str = PLANTED) -> list[dict[str, Any]]:
    """Return the events with the secrets among their text, cut into pieces at random, and told whole as they were said."""
    (text,) = texts(told).values()
    at = chance.randrange(len(text))
    whole = text[:at] + secrets + text[at:]
    deltas = [each for each in told if each["type"].endswith(".delta")]
    pieces = by_length(whole, chance.randint(1, 30))
    first = told.index(deltas[0])
    before, behind = told[:first], [each for each in told[first:] if each not in deltas]
    said = [{**deltas[0], "delta": piece} for piece in pieces]
    with_text = json.loads(json.dumps([*before, *said, *behind]).replace(json.dumps(text), json.dumps(whole)))
    return [{**each, "sequence_number": number} for number, each in enumerate(with_text)]


def test_secrets_planted_into_streams_are_redacted(recorded):
    active = rules()
    for number, body in enumerate(streams(recorded)):
        for seed in range(5):
            chance = random.Random(f"{SEED}.{number}.{seed}")
            told = planted(events(body), chance)
            ((path, text),) = texts(told).items()
            want = active.text(text).text
            output = left(at_random(wire(*told), chance), stream(active))
            assert texts(events(output)) == {path: want}
            assert wholes(events(output)) == {path: {want}}
            assert not [secret for secret in (EMAIL, CARD, KEY) if secret.encode() in output]


def test_a_secret_of_each_group_is_redacted_in_every_stream(recorded):
    active = rules()
    samples = one_of_each_group()
    assert len(samples) > 10
    for number, body in enumerate(streams(recorded)):
        for seed, sample in enumerate(samples):
            chance = random.Random(f"{SEED}.{number}.{seed}")
            told = planted(events(body), chance, f" Look: {sample}\n")
            ((path, text),) = texts(told).items()
            want = active.text(text).text
            assert (sample in want, "[redacted:" in want) == (False, True)
            output = left(at_random(wire(*told), chance), stream(active))
            assert texts(events(output)) == {path: want}
            assert wholes(events(output)) == {path: {want}}


@pytest.mark.parametrize("active", [ActiveRules.none(), rules()], ids=["no-rules", "every-detector"])
def test_answers_pass_unchanged(recorded, active):
    for answer in answers(recorded):
        body = json.dumps(answer).encode()
        assert json.loads(redact_response(body, rules=active, max_bytes=10**6).body) == answer


def strings(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    match value:
        case str():
            yield path
        case dict() | list():
            for key, item in value.items() if isinstance(value, dict) else enumerate(value):
                yield from strings(item, (*path, key))


# What tells an answer and its items apart: with another word there it is none, and does not leave at all.
TOLD_BY = [("object",), ("type",)]


def test_secrets_planted_into_any_string_of_an_answer_are_redacted(recorded):
    tried = 0
    for answer in answers(recorded):
        for path in strings(answer):
            if path[-1:] in TOLD_BY:
                continue
            changed = json.loads(json.dumps(answer))
            at: Any = changed
            for step in path[:-1]:
                at = at[step]
            at[path[-1]] += PLANTED
            output = redact_response(json.dumps(changed).encode(), rules=rules(), max_bytes=10**6).body
            assert not [secret for secret in (EMAIL, CARD, KEY) if secret.encode() in output], path
            tried += 1
    assert tried > 150


def validator(schemas: dict[str, Any], name: str) -> Draft202012Validator:
    return Draft202012Validator({"$ref": f"#/components/schemas/{name}", "components": schemas})


def by_type(schemas: dict[str, Any]) -> dict[str, Draft202012Validator]:
    """Return the validator of each type of event."""
    found = {}
    for each in schemas["schemas"]["ResponseStreamEvent"]["anyOf"]:
        name = each["$ref"].rpartition("/")[2]
        (kind,) = schemas["schemas"][name]["properties"]["type"]["enum"]
        found[kind] = validator(schemas, name)
    return found


def test_what_leaves_is_what_the_published_schema_says(recorded, schemas):
    known = by_type(schemas)
    made = answered(
        spoken("output_text", by_length(PLANTED, 7)),
        spoken("refusal", by_length(PLANTED, 7), index=1),
        spoken("summary_text", by_length(PLANTED, 7), index=2),
        spoken("reasoning_text", by_length(PLANTED, 7), index=3),
        called(by_length(json.dumps({"to": EMAIL}), 3), index=4),
        instructions=None,
        incomplete_details=None,
        parallel_tool_calls=True,
        tool_choice="auto",
        temperature=1,
        top_p=1,
    )
    for each in made:
        if "response" in each:
            del each["response"]["usage"]  # absent until there is one
    seen = set()
    for body in [*streams(recorded), wire(*made), wire(*made[:-1])]:
        excused = {(each["type"], where) for each in events(body) for where in beside_schema(known, each)}
        for each in events(left([body])):
            assert {(each["type"], where) for where in beside_schema(known, each)} <= excused, each
            seen.add(each["type"])
    assert len(seen) >= 20


def beside_schema(known: dict[str, Draft202012Validator], event: dict[str, Any]) -> set[str]:
    """Return where an event is not what the schema says. Servers say null where it has no null; so may we then."""
    return {error.json_path for error in known[event["type"]].iter_errors(event)}
