# SPDX-License-Identifier: Apache-2.0
"""The prompt screen on the way through the proxy: what it is asked, who is refused, what the record says."""

import json
from collections.abc import Sequence
from dataclasses import replace

import pytest

from policies.contracts.asked_screen import ScoredWindow, ScreenAbsent, ScreenAnswer, ScreenScore
from policies.contracts.decision import Mode
from policies.contracts.redaction import FieldClass
from policies.contracts.screening import (
    ClassifierRule,
    Otherwise,
    ScreenAsk,
    ScreenEffect,
    ScreeningPolicy,
)
from tests.fake_screen import ATTACK
from tests.unit.proxy_addons.harness import Harness, active_policy, chat, key_ring, plain_answer

RULE = ClassifierRule(
    id="injection",
    effect=ScreenEffect.DENY,
    threshold_bp=9900,
    thresholds_bp={FieldClass.TOOL_RESULT: 5000},
    fields=(),
    operations=(),
    models=(),
    subjects=(),
    reason="prompt-injection",
)


class Screen:
    """Finds the attack, with a score of 0.876, in whatever text has it."""

    def __init__(self, *, absent: str = "", complete: bool = True) -> None:
        self.asked: list[tuple[str, str]] = []
        self.deadlines: list[int] = []
        self._absent = absent
        self._complete = complete

    async def __call__(self, questions: Sequence, *, deadline_ms: int) -> list:
        self.deadlines.append(deadline_ms)
        self.asked += [(text.field.value, text.text) for each in questions for text in each.texts]
        return [ScreenAbsent(self._absent) if self._absent else self._answer(each) for each in questions]

    def _answer(self, question):
        scores = tuple(self._scored(each.text) for each in question.texts)
        return ScreenAnswer(scores=scores, versions={"classifier": "ngram-1"}, complete=self._complete)

    def _scored(self, text):
        if ATTACK not in text:
            return ScreenScore(0.01)
        at = text.index(ATTACK)
        return ScreenScore(0.876, windows=(ScoredWindow(at, at + len(ATTACK), "raw", 0.876),))


def harness(screen, *, rule=RULE, mode=Mode.ENFORCE, **ask):
    policy = ScreeningPolicy(id="screen", version="1", mode=mode, rules=(), classifier=(rule,), ask=ScreenAsk(**ask))
    return Harness(policy=active_policy(screening=(policy,)), keys=key_ring(), ask_screen=screen)


def of_tool(text):
    call = {"id": "call_1", "type": "function", "function": {"name": "read", "arguments": '{"page": "two"}'}}
    return {
        "model": "parrot",
        "messages": [
            {"role": "system", "content": "You answer."},
            {"role": "user", "name": "alice", "content": "What is in it?"},
            {"role": "assistant", "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "call_1", "content": text},
        ],
        "tools": [{"type": "function", "function": {"name": "read", "description": "Reads a page."}}],
    }


async def test_an_order_in_a_tool_result_is_refused_and_the_record_says_where():
    screen = Screen()
    under_test = harness(screen)
    told = await under_test.send(of_tool(f"Dear all, {ATTACK}."), upstream=plain_answer("fine"))
    assert (told.status, told.code, told.sent_upstream) == (403, "prompt-injection", [])
    assert told.message == "Policy does not permit what this request says."
    [record] = under_test.sink.envelopes
    assert record["reasons"] == [{"code": "prompt-injection", "policy": "screen", "rule": "injection"}]
    assert record["findings"] == [
        {"detector": "classifier", "policy": "screen", "rule": "injection", "action": "deny", "count": 1}
    ]
    [finding] = record["screen"]["findings"]
    assert (finding["field"], finding["score_percent"]) == ("tool-result", 88)
    assert finding["path"] == "request.messages.*.content"
    assert finding["windows"] == [{"start": 10, "end": 10 + len(ATTACK), "view": "raw", "score_percent": 88}]
    assert record["screen"]["versions"] == {"classifier": "ngram-1"}
    assert [each["engine"] for each in record["engines"]][-1] == "classifier"
    assert b"mail the file" not in under_test.sink.records[0].to_line()


async def test_a_user_may_quote_it():
    under_test = harness(Screen())
    told = await under_test.send(chat(f"What does '{ATTACK}' mean?"), upstream=plain_answer("fine"))
    assert (told.status, len(told.sent_upstream)) == (200, 1)
    [record] = under_test.sink.envelopes
    assert (record["screen"]["outcome"], record["screen"]["findings"], record["findings"]) == ("answered", [], [])


async def test_every_text_goes_along_with_its_class():
    screen = Screen()
    await harness(screen).send(of_tool("Nothing."), upstream=plain_answer("fine"))
    assert {
        ("system", "You answer."),
        ("user", "What is in it?"),
        ("user", "alice"),
        ("tool-arguments", "two"),
        ("tool-arguments", "page"),
        ("tool-result", "Nothing."),
        ("tool-schema", "Reads a page."),
    } <= {("user", text) if text == "alice" else (field, text) for field, text in screen.asked}


async def test_classes_that_no_rule_wants_do_not_go_along():
    screen = Screen()
    rule = replace(RULE, fields=(FieldClass.TOOL_RESULT,))
    await harness(screen, rule=rule).send(of_tool("Nothing."), upstream=plain_answer("fine"))
    assert screen.asked == [("tool-result", "Nothing.")]


@pytest.mark.parametrize(
    "changes", [{"models": ("owl",)}, {"subjects": ("user:bob",)}, {"fields": (FieldClass.TOOL_RESULT,)}]
)
async def test_nobody_is_asked_for_whom_no_rule_is(changes):
    screen = Screen()
    under_test = harness(screen, rule=replace(RULE, **changes))
    told = await under_test.send(chat(ATTACK), upstream=plain_answer("fine"))
    assert (told.status, screen.deadlines) == (200, [])
    assert "screen" not in under_test.sink.envelopes[0]


@pytest.mark.parametrize(
    ("screen", "status", "code", "outcome", "why"),
    [
        pytest.param(Screen(absent="late"), 503, "screen-unavailable", "error_deny", "late", id="absent"),
        pytest.param(Screen(complete=False), 403, "screen-incomplete", "deny", None, id="incomplete"),
    ],
)
async def test_what_was_not_judged_is_refused(screen, status, code, outcome, why):
    under_test = harness(screen)
    told = await under_test.send(chat("hello"), upstream=plain_answer("fine"))
    assert (told.status, told.code, told.sent_upstream) == (status, code, [])
    [record] = under_test.sink.envelopes
    assert (record["outcome"], record["screen"]["why"]) == (outcome, why)
    assert record["reasons"] == [{"code": code, "policy": "screen", "rule": ""}]


@pytest.mark.parametrize(
    ("screen", "ask"),
    [
        pytest.param(Screen(absent="late"), {"when_absent": Otherwise.ALLOW}, id="absent"),
        pytest.param(Screen(complete=False), {"when_incomplete": Otherwise.ALLOW}, id="incomplete"),
    ],
)
async def test_policy_may_let_it_pass_and_the_record_says_so(screen, ask):
    under_test = harness(screen, **ask)
    told = await under_test.send(chat("hello"), upstream=plain_answer("fine"))
    assert told.status == 200
    assert under_test.sink.envelopes[0]["screen"]["outcome"] in {"absent", "incomplete"}


@pytest.mark.parametrize(("mode", "warned"), [(Mode.WARN, "prompt-injection"), (Mode.OBSERVE, None)])
async def test_a_policy_that_does_not_enforce_refuses_nothing(mode, warned):
    under_test = harness(Screen(), mode=mode)
    told = await under_test.send(of_tool(ATTACK), upstream=plain_answer("fine"))
    assert (told.status, told.flow.response.headers.get("Gatehouse-Warning")) == (200, warned)
    [record] = under_test.sink.envelopes
    assert (record["would_have"], record["findings"][0]["action"]) == ("deny", mode)


async def test_a_node_without_a_screen_refuses():
    under_test = Harness(policy=harness(Screen()).feed.active, keys=key_ring())
    told = await under_test.send(chat("hello"), upstream=plain_answer("fine"))
    assert (told.code, under_test.sink.envelopes[0]["screen"]["why"]) == ("screen-unavailable", "not-set-up")


async def test_who_is_refused_anyhow_is_not_asked_about():
    screen = Screen()
    under_test = harness(screen)
    told = await under_test.send(chat(ATTACK, model="owl"), upstream=plain_answer("fine"))
    assert (told.code, screen.deadlines) == ("no-applicable-policy", [])


async def test_a_screen_that_raises_refuses_as_any_engine_does():
    async def raises(*_args, **_named):
        raise RuntimeError("secret")

    told = await harness(raises).send(chat("hello"), upstream=plain_answer("fine"))
    assert (told.status, told.code) == (503, "evaluation-failed")


async def test_more_texts_than_may_be_asked_about_are_not_all_judged():
    screen = Screen()
    message = {"role": "user", "content": [{"type": "text", "text": f"text {number}"} for number in range(2100)]}
    policy = active_policy(screening=harness(screen).feed.active.snapshot.screening, limits=())
    under_test = Harness(policy=policy, keys=key_ring(), ask_screen=screen)
    told = await under_test.send({"model": "parrot", "messages": [message]}, upstream=plain_answer("fine"))
    assert (told.code, len(screen.asked)) == ("screen-incomplete", 2048)
    assert json.loads(told.body)["error"]["type"] == "permission_error"
