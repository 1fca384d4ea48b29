# SPDX-License-Identifier: Apache-2.0
import json

import pytest

from policies.contracts.snapshot import FieldClass, RedactionAction
from policies.redaction.engine import AnswerBlocked
from policies.redaction.findings import Tally
from proxy_addons.core.redacted_texts import RedactedTexts
from tests.redaction import RulesOf
from tests.streams import EMAIL, rules

USER, SYSTEM = FieldClass.USER, FieldClass.SYSTEM


def test_what_is_clean_in_one_class_is_looked_at_in_another():
    texts = RedactedTexts(RulesOf({USER: EMAIL}), Tally())
    assert texts.text(EMAIL, SYSTEM, "p") == EMAIL
    assert texts.text(EMAIL, USER, "p") != EMAIL


def test_a_number_stays_a_number_unless_a_rule_takes_of_it():
    texts = RedactedTexts(rules(), Tally())
    assert texts.number(4111111111111112, USER, "p") == 4111111111111112
    assert texts.number(4111111111111111, USER, "p") == "[redacted:payment-card]"


def test_arguments_are_json_before_and_after():
    texts = RedactedTexts(rules(), Tally())
    spelled = '{"to":"alice\\u0040example.com", "n":1.50}'
    left = texts.arguments(spelled, lambda found: {**found, "to": texts.text(found["to"], USER, "p")}, USER, "p")
    assert json.loads(left) == {"to": "[redacted:email]", "n": 1.5}
    assert texts.arguments('{"n": 1.50}', lambda found: found, USER, "p") == '{"n": 1.50}'


def test_what_is_found_in_both_views_is_counted_once_and_a_block_is_one():
    tally = Tally()
    RedactedTexts(rules(), tally).arguments(f"mail {EMAIL}", lambda found: found, USER, "p")
    assert tally.total == 1
    with pytest.raises(AnswerBlocked):
        RedactedTexts(rules(RedactionAction.BLOCK), Tally()).arguments(
            '{"to":"alice\\u0040example.com"}', lambda found: {**found, "x": EMAIL}, USER, "p"
        )
