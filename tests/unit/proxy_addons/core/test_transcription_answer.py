# SPDX-License-Identifier: Apache-2.0
import json

import pytest

from policies.redaction.engine import Redaction
from proxy_addons.core.answers import AnswerInvalid
from proxy_addons.core.transcription_answer import redact_transcription
from tests.unit.proxy_addons.harness import CARD, HEADER_LINE, snapshot

RULES = Redaction.of(snapshot().redactions).rules_for(("answer-redaction",), operation="transcriptions", model="parrot")


def redacted(answer: object, *, max_bytes: int = 10_000):
    return redact_transcription(json.dumps(answer).encode(), rules=RULES, max_bytes=max_bytes)


def test_every_string_is_redacted():
    got = redacted({"text": f"pay {CARD}", "segments": [{"id": 0, "text": CARD, "tokens": [1, 2]}]})
    assert json.loads(got.body) == {
        "text": "pay [redacted:payment-card]",
        "segments": [{"id": 0, "text": "[redacted:payment-card]", "tokens": [1, 2]}],
    }


def test_rule_may_block():
    got = redacted({"text": HEADER_LINE})
    assert (got.body, got.blocked.rule) == (b"", "key")


@pytest.mark.parametrize("answer", [{}, {"text": None}, {"choices": []}, [], "text"])
def test_what_is_no_answer_of_the_dialect_is_refused(answer):
    with pytest.raises(AnswerInvalid):
        redacted(answer)


def test_answer_beyond_its_size_is_refused():
    with pytest.raises(AnswerInvalid, match="too-large"):
        redacted({"text": "a"}, max_bytes=5)
