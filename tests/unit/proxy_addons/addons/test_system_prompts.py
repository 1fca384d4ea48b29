# SPDX-License-Identifier: Apache-2.0
"""Approved system prompts on the way through the proxy: what reaches the upstream, what the client and the record say."""

import json

import pytest

from policies.contracts.decision import Mode
from policies.contracts.prompts import ApprovedPrompt, OnOwn, PromptRule, PromptsPolicy, prompt_digest
from policies.contracts.recording import ContentMode, LoggingPolicy
from policies.contracts.snapshot import Dialect, Direction, RedactionAction, RedactionPolicy, RedactionRule
from tests.unit.proxy_addons.harness import CARD, Harness, active_policy, chat, key_ring, plain_answer, route

TEXT = f"You help holders of {CARD}."
PROMPT = ApprovedPrompt(name="support", text=TEXT, digest=prompt_digest(TEXT))
REDACTION = RedactionPolicy(
    id="cards",
    version="1",
    mode=Mode.ENFORCE,
    operations=(),
    models=(),
    rules=(
        RedactionRule(
            id="card", detectors=("payment-card",), action=RedactionAction.REPLACE, directions=(Direction.REQUEST,)
        ),
    ),
)
SYSTEM = {"role": "system", "content": TEXT}
USER = {"role": "user", "content": "hi"}


def harness(*, require=(), insert=None, on_own=OnOwn.REFUSE, mode=Mode.ENFORCE, **changes):
    rule = PromptRule(id="r", operations=(), models=(), subjects=(), require=require, insert=insert, on_own=on_own)
    policy = PromptsPolicy(id="approved", version="1", mode=mode, prompts=(PROMPT,), rules=(rule,))
    return Harness(policy=active_policy(prompts=(policy,), **changes), keys=key_ring())


async def sent(under_test, body, **asked):
    return await under_test.send(body, upstream=plain_answer("fine"), **asked)


async def test_a_prompt_that_is_put_in_stands_first_and_is_not_redacted():
    under_test = harness(insert="support", redactions=(REDACTION,))
    told = await sent(under_test, chat(f"My card is {CARD}."))
    assert told.status == 200
    forwarded = json.loads(told.sent_upstream[0])
    assert forwarded["messages"][0] == SYSTEM
    assert CARD not in forwarded["messages"][1]["content"]
    [record] = under_test.sink.envelopes
    assert record["system_prompt"] == {
        "policy": "approved",
        "rule": "r",
        "prompt": "support",
        "digest": PROMPT.digest,
        "inserted": True,
    }
    assert b"You help" not in under_test.sink.records[0].to_line()


@pytest.mark.parametrize(
    ("messages", "code"),
    [
        pytest.param([SYSTEM, USER], None, id="the-approved-one"),
        pytest.param([USER], "system-prompt-not-approved", id="none"),
        pytest.param([{"role": "system", "content": "Obey."}, USER], "system-prompt-not-approved", id="another"),
        pytest.param(
            [SYSTEM, USER, {"role": "developer", "content": "Obey."}], "system-prompt-not-approved", id="more"
        ),
    ],
)
async def test_a_prompt_that_is_required_must_be_there(messages, code):
    under_test = harness(require=("support",))
    told = await sent(under_test, {"model": "parrot", "messages": messages})
    assert told.code == code
    [record] = under_test.sink.envelopes
    if code is None:
        assert (record["system_prompt"]["inserted"], record["engines"][-1]["engine"]) == (False, "prompts")
    else:
        assert told.sent_upstream == []
        assert record["reasons"] == [{"code": code, "policy": "approved", "rule": "r"}]
        assert "system_prompt" not in record
    assert b"Obey" not in under_test.sink.records[0].to_line()


async def test_a_system_text_of_the_clients_own_is_refused_or_kept_behind():
    own = {"model": "parrot", "messages": [{"role": "system", "content": "Mine."}, USER]}
    assert (await sent(harness(insert="support"), own)).code == "system-prompt-not-approved"
    told = await sent(harness(insert="support", on_own=OnOwn.KEEP), own)
    assert [each["content"] for each in json.loads(told.sent_upstream[0])["messages"]] == [TEXT, "Mine.", "hi"]


async def test_completions_are_refused_and_lists_of_models_are_not():
    under_test = harness(insert="support")
    told = await sent(under_test, {"model": "parrot", "prompt": "hi"}, target=b"/v1/completions")
    assert (told.status, told.code) == (403, "system-prompt-not-approved")
    assert (await under_test.send(None, method="GET", target=b"/v1/models")).sent_upstream == [b""]


async def test_a_policy_that_warns_changes_nothing_and_says_so():
    under_test = harness(require=("support",), mode=Mode.WARN)
    told = await sent(under_test, chat("hi"))
    assert (told.status, under_test.sink.envelopes[0]["would_have"]) == (200, "deny")
    assert told.flow.response.headers["Gatehouse-Warning"] == "system-prompt-not-approved"
    assert json.loads(told.sent_upstream[0])["messages"] == [USER]


async def test_instructions_of_a_response_are_put_in():
    under_test = harness(insert="support", routes=(route(Dialect.RESPONSES),))
    told = await sent(under_test, {"model": "parrot", "input": "hi"}, target=b"/v1/responses")
    assert json.loads(told.sent_upstream[0])["instructions"] == TEXT


async def test_what_is_kept_of_a_prompt_is_the_clients():
    keeping = LoggingPolicy(
        id="keep",
        version="1",
        records=None,
        prompts=ContentMode.SEALED,
        answers=None,
        max_bytes=None,
        operations=(),
        models=(),
        subjects=(),
    )
    under_test = harness(insert="support", logging=(keeping,))
    told = await sent(under_test, chat("hi"))
    assert told.status == 200
    [record] = under_test.sink.records
    kept = json.loads(record.payload)["content"]["prompt"]
    assert "messages.0.content" not in json.dumps(kept)
    assert "messages.1.content" in json.dumps(kept)
