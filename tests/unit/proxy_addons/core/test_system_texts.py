# SPDX-License-Identifier: Apache-2.0
import json

import pytest

from policies.contracts.request import RequestFacts
from policies.contracts.snapshot import Dialect
from policies.evaluation.system_prompts import SystemTexts
from proxy_addons.core.openai_request import ReadRequest
from proxy_addons.core.system_texts import FIRST_TEXTS, system_texts, with_prompt
from proxy_addons.core.texts_said import texts_of

ASK = {"role": "user", "content": "hi"}


def read(value):
    return ReadRequest(model="parrot", facts=RequestFacts(), body=b"{}", value={"model": "parrot", **value})


def system(content, **more):
    return {"role": "system", "content": content} | more


@pytest.mark.parametrize(
    ("messages", "want"),
    [
        pytest.param([ASK], SystemTexts(leads=False), id="none"),
        pytest.param([system("a"), ASK], SystemTexts(texts=("a",)), id="a-text"),
        pytest.param([system([{"type": "text", "text": "a"}]), ASK], SystemTexts(texts=("a",)), id="one-part"),
        pytest.param([ASK, system("a")], SystemTexts(texts=("a",), leads=False), id="not-first"),
        pytest.param([system("a"), {"role": "developer", "content": "b"}], SystemTexts(texts=("a", "b")), id="two"),
        pytest.param([system("a", name="x")], SystemTexts(texts=(None,)), id="with-a-name"),
        pytest.param([system([{"type": "text", "text": "a"}] * 2)], SystemTexts(texts=(None,)), id="two-parts"),
        pytest.param(
            [system([{"type": "text", "text": "a", "x": "b"}])], SystemTexts(texts=(None,)), id="a-part-with-more"
        ),
    ],
)
def test_of_chat(messages, want):
    assert system_texts(read({"messages": messages}), Dialect.CHAT) == want


@pytest.mark.parametrize(
    ("value", "want"),
    [
        pytest.param({"input": "hi"}, SystemTexts(leads=False), id="none"),
        pytest.param({"input": "hi", "instructions": "a"}, SystemTexts(texts=("a",)), id="instructions"),
        pytest.param({"input": [system("a"), ASK]}, SystemTexts(texts=("a",)), id="an-item"),
        pytest.param({"input": [{"type": "message", **system("a")}]}, SystemTexts(texts=("a",)), id="a-typed-item"),
        pytest.param({"input": [system("a", id="x")]}, SystemTexts(texts=(None,)), id="an-item-with-an-id"),
        pytest.param({"input": [ASK, system("b")], "instructions": "a"}, SystemTexts(texts=("a", "b")), id="both"),
        pytest.param(
            {"input": [{"type": "function_call_output", "call_id": "c", "output": "o"}, system("a")]},
            SystemTexts(texts=("a",), leads=False),
            id="behind-a-tool",
        ),
    ],
)
def test_of_responses(value, want):
    assert system_texts(read(value), Dialect.RESPONSES) == want


def test_of_others():
    assert system_texts(read({"prompt": "hi"}), Dialect.COMPLETIONS) == SystemTexts(has_roles=False)
    assert system_texts(read({"input": "hi"}), Dialect.EMBEDDINGS) is None
    assert system_texts(None, Dialect.CHAT) is None


def test_what_is_put_in_stands_first_in_chat():
    body = json.loads(with_prompt(read({"messages": [system("own"), ASK]}), Dialect.CHAT, "text").body)
    assert body == {"model": "parrot", "messages": [system("text"), system("own"), ASK]}


@pytest.mark.parametrize("given", ["hi", [ASK]], ids=["a-text", "items"])
def test_what_is_put_in_are_the_instructions_of_a_response(given):
    plain = json.loads(with_prompt(read({"input": given}), Dialect.RESPONSES, "text").body)
    assert plain == {"model": "parrot", "instructions": "text", "input": given}
    kept = json.loads(with_prompt(read({"input": given, "instructions": "own"}), Dialect.RESPONSES, "text").body)
    assert kept == {"model": "parrot", "instructions": "text", "input": [system("own"), ASK]}


@pytest.mark.parametrize(
    ("dialect", "value"), [(Dialect.CHAT, {"messages": [ASK]}), (Dialect.RESPONSES, {"input": "hi"})]
)
def test_where_it_stands_is_where_content_that_is_kept_leaves_it_out(dialect, value):
    texts = dict(texts_of(with_prompt(read(value), dialect, "put in").body))
    assert [path for path, text in texts.items() if text == "put in"] == [path for path in texts if path in FIRST_TEXTS]
