# SPDX-License-Identifier: Apache-2.0
import json

import pytest

from policies.contracts.decision import Mode
from policies.contracts.snapshot import Dialect, RedactionAction
from policies.redaction.rules import ActiveRules
from proxy_addons.core.answers import AnswerInvalid, RedactedAnswer, redact_answer
from tests.streams import CARD, EMAIL, KEY, rules

MAX_BYTES = 1_000


def examined(body, *, active=None, dialect=Dialect.CHAT) -> RedactedAnswer:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return redact_answer(raw, dialect=dialect, rules=rules() if active is None else active, max_bytes=MAX_BYTES)


def chat(message, **more):
    return {"id": "chatcmpl-1", "choices": [{"index": 0, "message": message, "finish_reason": "stop", **more}]}


@pytest.mark.parametrize(
    ("message", "want"),
    [
        ({"content": f"It is {EMAIL}."}, {"content": "It is [redacted:email]."}),
        (
            {"content": [{"type": "text", "text": CARD}]},
            {"content": [{"type": "text", "text": "[redacted:payment-card]"}]},
        ),
        (
            {"reasoning_content": CARD, "refusal": EMAIL},
            {"reasoning_content": "[redacted:payment-card]", "refusal": "[redacted:email]"},
        ),
        ({"musings": {EMAIL: [KEY]}}, {"musings": {"[redacted:email]": ["[redacted:aws-access-key]"]}}),
        ({"audio": {"transcript": EMAIL}}, {"audio": {"transcript": "[redacted:email]"}}),
        (
            {"tool_calls": [{"function": {"name": "f", "arguments": '{"n": "\\u0034111 1111 1111 1111"}'}}]},
            {"tool_calls": [{"function": {"name": "f", "arguments": '{"n": "[redacted:payment-card]"}'}}]},
        ),
        (
            {"function_call": {"arguments": '"\\u0034111 1111 1111 1111"'}},
            {"function_call": {"arguments": '"[redacted:payment-card]"'}},
        ),
    ],
)
def test_every_text_of_an_answer_is_redacted(message, want):
    assert json.loads(examined(chat(message)).body) == chat(want)


def test_members_beside_the_choices_are_redacted_too():
    got = json.loads(examined({"choices": [], "x": EMAIL, EMAIL: 4111111111111111, "usage": {"total_tokens": 3}}).body)
    assert got == {
        "choices": [],
        "x": "[redacted:email]",
        "[redacted:email]": "[redacted:payment-card]",
        "usage": {"total_tokens": 3},
    }


@pytest.mark.parametrize("dialect", [Dialect.COMPLETIONS, Dialect.MODELS])
def test_other_dialects_are_redacted_likewise(dialect):
    member = "data" if dialect is Dialect.MODELS else "choices"
    got = json.loads(examined({member: [{"text": f"echo {EMAIL}", "id": KEY}]}, dialect=dialect).body)
    assert got == {member: [{"text": "echo [redacted:email]", "id": "[redacted:aws-access-key]"}]}


def test_log_probabilities_are_dropped_where_a_rule_may_redact():
    body = chat({"content": "x"}, logprobs={"content": [{"token": "4111", "bytes": [52]}]})
    got = examined(body)
    assert json.loads(got.body)["choices"][0]["logprobs"] is None
    assert got.coverage.not_scanned == (("choices.*.logprobs", "dropped"),)
    looking = examined(body, active=rules(mode=Mode.OBSERVE))
    assert (json.loads(looking.body), looking.coverage.not_scanned) == (body, ())


def test_without_rules_an_answer_is_only_written_again():
    body = chat({"content": f"{EMAIL} é 漢 \u2028"})
    got = examined(body, active=ActiveRules.none())
    assert (json.loads(got.body), got.findings, got.blocked) == (body, (), None)


def test_what_is_found_is_counted():
    got = examined(chat({"content": f"{EMAIL} {EMAIL} {CARD}"}))
    assert [(f.detector, f.action, f.count) for f in got.findings] == [
        ("email", "replace", 2),
        ("payment-card", "replace", 1),
    ]
    assert got.coverage.scanned == ("choices.*.finish_reason", "choices.*.message.content", "id")


def test_a_blocked_answer_leaves_nothing_and_says_what_was_found():
    got = examined(chat({"content": f"{EMAIL} {CARD}"}), active=rules(RedactionAction.BLOCK))
    assert got.body == b""
    assert got.blocked is not None
    assert (got.blocked.policy, got.blocked.rule) == ("policy", "rule")
    assert [(f.detector, f.action, f.count) for f in got.findings] == [("email", "block", 1)]


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        pytest.param(b"", "not-json", id="empty"),
        pytest.param(b"<html>alice@example.com</html>", "not-json", id="html"),
        pytest.param(b'{"choices":[]} {}', "not-json", id="more-behind"),
        pytest.param(b"[]", "not-an-object", id="list"),
        pytest.param(b'{"choices":[],"choices":[]}', "duplicate-key", id="duplicate-key"),
        pytest.param(b"\xef\xbb\xbf{}", "byte-order-mark", id="byte-order-mark"),
        pytest.param(b'{"choices":["\xff"]}', "not-utf-8", id="not-utf-8"),
        pytest.param(b'{"error":{"message":"x"}}', "not-of-its-dialect", id="no-choices"),
        pytest.param(b'{"choices":{}}', "not-of-its-dialect", id="choices-an-object"),
        pytest.param(b'{"choices":["x"]}', "not-of-its-dialect", id="choice-a-text"),
        pytest.param(b'{"choices":[]' + b" " * MAX_BYTES + b"}", "too-large", id="too-large"),
        pytest.param(
            json.dumps(
                chat({"tool_calls": [{"function": {"arguments": '{"a":' + "[" * 60 + "]" * 60 + "}"}}]})
            ).encode(),
            "too-deep",
            id="too-deep-within-arguments",
        ),
    ],
)
def test_what_cannot_be_examined_is_an_error(body, problem):
    with pytest.raises(AnswerInvalid) as refused:
        examined(body)
    assert problem == refused.value.problem
