# SPDX-License-Identifier: Apache-2.0
import base64

import pytest

from policies.contracts.decision import Mode
from policies.contracts.snapshot import Decoding, FieldClass, RedactionAction, RedactionPolicy, RedactionRule
from policies.redaction.engine import Redaction
from policies.redaction.findings import AnswerBlocked
from policies.redaction.looking import look
from tests.streams import CARD


def rules(max_bytes: int = 1_000_000):
    policy = RedactionPolicy(
        id="p",
        version="1",
        mode=Mode.ENFORCE,
        operations=(),
        models=(),
        rules=(RedactionRule(id="r", detectors=("payment-card", "password"), action=RedactionAction.REPLACE),),
        decoding=Decoding(max_bytes=max_bytes),
    )
    return Redaction.of([policy]).rules_for(["p"]).field(FieldClass.USER)


def test_what_redaction_wrote_is_no_finding():
    text = "password: [redacted:payment-card:2] "
    assert look(rules(), text).findings == ()


@pytest.mark.parametrize("text", [f"[redacted:{CARD}]", f"[redacted:payment-card]{CARD}", f"[redacted:else {CARD}]"])
def test_what_only_looks_like_it_is_looked_at(text):
    assert [text[each.start : each.end] for each in look(rules(), text).findings] == [CARD]


def test_a_text_that_has_too_much_to_decode_is_not_taken_for_clean():
    text = base64.b64encode(b"some harmless text " * 20).decode()
    assert look(rules(), text).findings == ()
    with pytest.raises(AnswerBlocked) as blocked:
        look(rules(max_bytes=16), text)
    assert blocked.value.rule == "scan-budget"
