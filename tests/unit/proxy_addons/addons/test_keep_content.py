# SPDX-License-Identifier: Apache-2.0
import json

import pytest

from policies.contracts.content import Side, content_hash
from policies.contracts.decision import Mode
from policies.contracts.recording import ContentMode, LoggingPolicy
from policies.contracts.snapshot import Direction, RedactionAction, RedactionPolicy, RedactionRule
from policies.sealed_texts import Seal, SealedTexts
from tests.unit.proxy_addons.harness import (
    CARD,
    HEADER_LINE,
    SECRET_PROMPT,
    chat,
    plain_answer,
    ready_harness,
    streamed_answer,
)

KEY = b"k" * 32  # the harness's
BOTH_WAYS = RedactionPolicy(
    id="both",
    version="1",
    mode=Mode.ENFORCE,
    operations=(),
    models=(),
    rules=(
        RedactionRule(
            id="card",
            detectors=("payment-card",),
            action=RedactionAction.REPLACE,
            directions=(Direction.REQUEST, Direction.ANSWER),
        ),
        RedactionRule(id="key", detectors=("private-key-header",), action=RedactionAction.BLOCK),
    ),
)


def harness(prompts=ContentMode.HASHED, answers=ContentMode.HASHED, **selectors):
    policy = LoggingPolicy(
        id="log",
        version="1",
        records=None,
        prompts=prompts,
        answers=answers,
        max_bytes=1000,
        **{"operations": (), "models": (), "subjects": ()} | selectors,
    )
    return ready_harness(logging=(policy,), redactions=(BOTH_WAYS,))


def hash_of(text: str) -> str:
    return content_hash(KEY, tenant="default", text=text)


def payload(made) -> dict:
    return json.loads(made.sink.records[-1].payload)


def opened(made, side: Side) -> list[str]:
    sealed = SealedTexts.from_json(payload(made)["content"][side]["sealed"])
    record_id = made.sink.envelopes[-1]["record_id"]
    return [kept.text for kept in Seal(key=KEY, tenant="default").open(sealed, side=side, record_id=record_id)]


async def test_without_a_policy_nothing_is_kept():
    made = ready_harness()
    await made.send(chat(), upstream=plain_answer("hello"))
    assert "content" not in made.sink.envelopes[-1]
    assert "content" not in payload(made)


@pytest.mark.parametrize("stream", [False, True])
async def test_a_text_is_found_by_its_hash_whether_it_was_streamed_or_not(stream):
    made = harness()
    answer = streamed_answer("hello you") if stream else plain_answer("hello you")
    assert (await made.send(chat(stream=stream), upstream=answer)).status == 200
    assert made.sink.envelopes[-1]["content"] == {"answer": hash_of("hello you"), "prompt": hash_of(SECRET_PROMPT)}
    kept = payload(made)["content"]
    assert [text["path"] for text in kept["prompt"]["texts"]] == ["messages.0.content"]
    assert kept["answer"]["texts"][0]["hash"] == hash_of("hello you")
    assert all("content" not in envelope for envelope in made.sink.envelopes if envelope["kind"] == "admission")


@pytest.mark.parametrize("stream", [False, True])
async def test_what_is_kept_is_what_was_forwarded_and_delivered(stream):
    made = harness(ContentMode.SEALED, ContentMode.SEALED)
    answer = streamed_answer(f"a {CARD} b") if stream else plain_answer(f"a {CARD} b")
    told = await made.send(chat(f"my card is {CARD}", stream=stream), upstream=answer)
    assert CARD.encode() not in told.sent_upstream[0] + told.body
    (prompt,), (delivered,) = opened(made, Side.PROMPT), opened(made, Side.ANSWER)
    assert prompt == json.loads(told.sent_upstream[0])["messages"][0]["content"]
    assert delivered.startswith("a ")
    assert CARD not in prompt + delivered
    assert delivered.encode() not in made.sink.records[-1].payload


async def test_pieces_of_a_stream_are_one_text_however_it_is_cut():
    made = harness()
    answer = streamed_answer("hello you")
    answer.pieces = [bytes([byte]) for piece in answer.pieces for byte in piece]
    await made.send(chat(stream=True), upstream=answer)
    assert made.sink.envelopes[-1]["content"]["answer"] == hash_of("hello you")


async def test_of_a_stream_that_was_cut_only_what_left_is_kept():
    made = harness(answers=ContentMode.SEALED)
    answer = streamed_answer("said before " * 50)
    answer.pieces = [*answer.pieces[:2], *streamed_answer(f"{HEADER_LINE} behind").pieces[1:]]
    told = await made.send(chat(stream=True), upstream=answer)
    assert made.sink.envelopes[-1]["verdict"] == "cut"
    (left,) = opened(made, Side.ANSWER)
    assert left.startswith("said before said")
    assert set(left.split()) == {"said", "before"}
    assert left.encode() in b"".join(piece.split(b'"')[0] for piece in told.body.split(b'"content":"'))


@pytest.mark.parametrize(
    ("body", "answer", "kept"),
    [
        pytest.param(chat(model="nobody"), None, None, id="refused by policy"),
        pytest.param(chat(), plain_answer(HEADER_LINE), {"prompt": hash_of(SECRET_PROMPT)}, id="answer blocked"),
    ],
)
async def test_what_was_not_forwarded_or_not_delivered_is_not_kept(body, answer, kept):
    made = harness()
    await made.send(body, upstream=answer)
    assert made.sink.envelopes[-1].get("content") == kept


async def test_a_client_that_leaves_has_its_prompt_kept():
    made = harness()
    await made.send(chat(stream=True), upstream=streamed_answer("hello"), leaves="stream")
    assert made.sink.envelopes[-1]["content"]["prompt"] == hash_of(SECRET_PROMPT)


async def test_policy_keeps_for_those_it_selects():
    made = harness(subjects=("user:bob",))
    await made.send(chat(), upstream=plain_answer("hello"))
    assert "content" not in made.sink.envelopes[-1]


async def test_no_text_is_in_the_log(capsys):
    made = harness(ContentMode.SEALED, ContentMode.SEALED)
    await made.send(chat(), upstream=plain_answer("the quartz lantern"))
    said = capsys.readouterr()
    assert "quartz" not in said.out + said.err
    assert SECRET_PROMPT not in said.out + said.err
