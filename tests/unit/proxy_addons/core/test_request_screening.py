# SPDX-License-Identifier: Apache-2.0
import json

import pytest

from policies.contracts.decision import Mode
from policies.contracts.request import RequestFacts
from policies.contracts.screening import ScreenEffect, ScreeningPolicy, ScreeningRule
from policies.contracts.snapshot import Dialect, PolicySnapshot
from policies.evaluation.screening import Screening
from policies.redaction.findings import Tally
from proxy_addons.core.multipart_form import Field
from proxy_addons.core.openai_request import ReadForm, ReadRequest
from proxy_addons.core.request_screening import screen_request
from tests.unit.proxy_addons.core.test_judged_texts import ASKED

RULE = ScreeningRule(
    id="r",
    effect=ScreenEffect.DENY,
    phrases=("purple marzipan",),
    expressions=(),
    fields=(),
    operations=(),
    models=(),
    subjects=(),
    reason="prompt-screened",
)
POLICY = ScreeningPolicy(id="p", version="1", mode=Mode.ENFORCE, rules=(RULE,))
SNAPSHOT = PolicySnapshot(tenant="default", environment="production", groups={}, screening=(POLICY,))
SCREENING = Screening.of((POLICY,))


def count(read, dialect):
    tally = Tally()
    screen_request(read, dialect=dialect, rules=SCREENING.rules_for(ASKED, SNAPSHOT), tally=tally)
    return sum(found.count for found in tally.findings)


def part(text):
    return {"type": "text", "text": text}


@pytest.mark.parametrize(
    ("message", "found"),
    [
        pytest.param({"role": "user", "content": "purple marzipan"}, True, id="a-text"),
        pytest.param({"role": "user", "content": "purple soup"}, False, id="another-text"),
        pytest.param({"role": "user", "content": [part("purple "), part("marzipan")]}, True, id="cut-in-two-parts"),
        pytest.param({"role": "tool", "tool_call_id": "c", "content": "purple marzipan"}, True, id="a-tool-result"),
        pytest.param(
            {
                "role": "assistant",
                "tool_calls": [
                    {
                        "id": "c",
                        "type": "function",
                        "function": {"name": "f", "arguments": json.dumps({"purple": "marzipan"})},
                    }
                ],
            },
            True,
            id="over-a-member-of-arguments",
        ),
        pytest.param({"role": "user", "name": "purple-marzipan", "content": "hi"}, True, id="a-name"),
    ],
)
def test_every_text_is_looked_at(message, found):
    value = {"model": "parrot", "messages": [message]}
    read = ReadRequest(model="parrot", facts=RequestFacts(), body=b"{}", value=value)
    assert (count(read, Dialect.CHAT) > 0) is found
    assert value == {"model": "parrot", "messages": [message]}


def test_the_fields_of_a_form_are_looked_at():
    parts = (Field(name="model", text="parrot"), Field(name="prompt", text="Purple  marzipan."))
    read = ReadRequest(model="parrot", facts=RequestFacts(), body=b"", form=ReadForm(parts, "a.wav", "audio/wav"))
    assert count(read, Dialect.TRANSCRIPTIONS) == 1
