# SPDX-License-Identifier: Apache-2.0
import json
from typing import Any

import pytest

from policies.contracts.snapshot import Dialect, EmbeddingInputs, FieldClass, Modality
from policies.redaction.findings import Tally
from policies.redaction.rules import ActiveRules
from proxy_addons.core.openai_request import ReadRequest
from proxy_addons.core.request_reader import read_body
from proxy_addons.core.request_redaction import RedactedRequest, redact_request
from tests.redaction import RulesOf
from tests.streams import EMAIL
from tests.unit.proxy_addons.harness import chat, route

USER = {FieldClass.USER: EMAIL}


def read(body: dict[str, Any], dialect: Dialect = Dialect.CHAT) -> ReadRequest:
    return read_body(json.dumps(body).encode(), route(dialect))


def said(*contents: str, **more: Any) -> dict[str, Any]:
    roles = ("user", "assistant")
    messages = [{"role": roles[place % 2], "content": content} for place, content in enumerate(contents)]
    return {"model": "parrot", "messages": messages, **more}


def redacted(
    request: ReadRequest, rules: Any, dialect: Dialect = Dialect.CHAT, tally: Tally | None = None
) -> RedactedRequest:
    return redact_request(request, dialect=dialect, rules=rules, tally=tally or Tally())


def test_without_rules_the_body_leaves_as_it_was_read():
    request = read(chat())
    done = redacted(request, ActiveRules.none())
    assert done.read is request
    assert done.coverage.not_scanned == (("request", "no-rule"),)


def test_without_a_finding_the_body_leaves_as_it_was_read():
    request = read(said("nothing"))
    done = redacted(request, RulesOf(USER))
    assert done.read is request
    assert done.coverage.scanned == ("request.messages.*.content",)
    assert done.coverage.not_scanned == (("request.model", "decided-on"),)


def test_a_finding_leaves_the_body_written_again():
    done = redacted(read(said(f"mail {EMAIL}")), RulesOf(USER))
    assert json.loads(done.read.body)["messages"][0]["content"] == "mail [redacted:email]"
    assert EMAIL.encode() not in done.read.body


def test_a_block_leaves_nothing_to_forward_and_tells_its_rule():
    done = redacted(read(said(EMAIL)), RulesOf(USER, action="block"))
    assert done.blocked is not None
    assert (done.blocked.policy, done.blocked.rule) == ("policy", "rule")


def test_a_form_is_written_again_and_its_sound_is_as_it_was():
    form = (
        b'--x\r\nContent-Disposition: form-data; name="model"\r\n\r\nparrot\r\n'
        b'--x\r\nContent-Disposition: form-data; name="prompt"\r\n\r\nnames: ' + EMAIL.encode() + b"\r\n"
        b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\nContent-Type: audio/wav\r\n\r\n'
        b"RIFF....WAVE\r\n--x--\r\n"
    )
    of = route(Dialect.TRANSCRIPTIONS, allow_uncovered=(Modality.AUDIO,))
    request = read_body(form, of, ((b"content-type", b"multipart/form-data; boundary=x"),))
    done = redacted(request, RulesOf(USER), Dialect.TRANSCRIPTIONS)
    assert EMAIL.encode() not in done.read.body
    assert b"names: [redacted:email]" in done.read.body
    assert b"RIFF....WAVE" in done.read.body
    assert done.read.media_type.split(b"boundary=")[1] in done.read.body
    assert redacted(request, RulesOf({}), Dialect.TRANSCRIPTIONS).read is request


@pytest.mark.parametrize(
    ("embeddings", "left", "blocked", "action", "told"),
    [
        (EmbeddingInputs.BLOCK, EMAIL, True, "replace", 0),
        (EmbeddingInputs.ALLOW, EMAIL, False, "annotate", 0),
        (EmbeddingInputs.REDACT, "[redacted:email]", False, "replace", 1),
    ],
)
def test_an_input_to_embed_is_never_changed_silently(embeddings, left, blocked, action, told):
    request = read({"model": "parrot", "input": ["one", EMAIL]}, Dialect.EMBEDDINGS)
    tally = Tally()
    done = redacted(request, RulesOf(USER, embeddings=embeddings), Dialect.EMBEDDINGS, tally)
    assert json.loads(done.read.body)["input"] == ["one", left]
    assert (done.blocked is not None, done.told) == (blocked, told)
    assert {said.action for said in (*tally.findings, *tally.remarks)} == {action}


@pytest.mark.parametrize("embeddings", list(EmbeddingInputs))
def test_an_input_that_a_rule_blocks_is_blocked_whatever_becomes_of_others(embeddings):
    request = read({"model": "parrot", "input": EMAIL}, Dialect.EMBEDDINGS)
    rules = RulesOf(USER, action="block", embeddings=embeddings)
    assert redacted(request, rules, Dialect.EMBEDDINGS).blocked is not None


@pytest.mark.parametrize("embeddings", list(EmbeddingInputs))
def test_an_input_without_a_finding_leaves_as_it_came(embeddings):
    request = read({"model": "parrot", "input": "one"}, Dialect.EMBEDDINGS)
    done = redacted(request, RulesOf(USER, embeddings=embeddings), Dialect.EMBEDDINGS)
    assert (done.read, done.blocked, done.told) == (request, None, 0)


def test_a_pseudonym_is_none_that_the_request_has_already():
    tally = Tally()
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": '{"x":"\\u005bEMAIL-2]"}'}}
    body = said(f"[EMAIL-1] and {EMAIL}")
    body["messages"].append({"role": "assistant", "tool_calls": [call]})
    done = redacted(read(body), RulesOf(USER, reversible=True), tally=tally)
    assert json.loads(done.read.body)["messages"][0]["content"] == "[EMAIL-1] and [EMAIL-3]"


def test_same_history_is_redacted_alike_turn_after_turn():
    rules = RulesOf({**USER, FieldClass.ASSISTANT_TEXT: EMAIL}, reversible=True)
    first = json.loads(redacted(read(said(EMAIL)), rules).read.body)["messages"]
    # Members come in another order, and what is new stands before the messages as well as behind them.
    later = {"user": "bob", **said(EMAIL, f"to {EMAIL}", "and now?"), "stop": "x"}
    messages = json.loads(redacted(read(later), rules).read.body)["messages"]
    assert messages[:1] == first
    assert messages[1]["content"] == "to [EMAIL-1]"
