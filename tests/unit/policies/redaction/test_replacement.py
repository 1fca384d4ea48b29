# SPDX-License-Identifier: Apache-2.0
import re

import pytest

from policies.contracts.snapshot import RedactionAction
from policies.detectors.contract import Detector
from policies.redaction.findings import Tally
from policies.redaction.pseudonyms import Pseudonyms
from policies.redaction.replacement import PLACEHOLDER, replacement
from policies.redaction.selection import RuleUse

CARD = Detector(name="payment-card", kind="CREDIT_CARD", group="", patterns=(), finds=(), ignores=())
TOKEN = Detector(name="token", kind="secret.token", group="", patterns=(), finds=(), ignores=())
OWN = Detector(name="policy/ticket", kind="TICKET", group="", patterns=(), finds=(), ignores=())
KEY = b"k" * 32


def written(action: str, value: str, *, of: Detector = CARD, before: str = " ", tally=None, key=KEY, **more) -> str:
    rule = RuleUse(policy="p", rule="r", detector=of.name, action=RedactionAction(action), **more)
    return replacement(rule, of, value, before=before, tally=tally or Tally(), key=key)


@pytest.mark.parametrize(
    ("value", "keep_last", "expected"),
    [("4111111111111111", 4, "*" * 12 + "1111"), ("4111", 0, "****"), ("abc", 3, "**c")],
)
def test_a_mask_keeps_at_most_half(value, keep_last, expected):
    assert written("mask", value, keep_last=keep_last) == expected


@pytest.mark.parametrize(("before", "expected"), [("", ""), (" ", ""), ("\n", ""), ("1", " ")])
def test_removing_joins_nothing(before, expected):
    assert written("remove", "x", before=before) == expected


def test_a_placeholder_tells_values_apart_however_they_are_written():
    tally = Tally()
    values = ("4111 1111", "4242 4242", "4111-1111", "4242 4242")
    assert [written("replace", value, tally=tally) for value in values] == [
        *(
            "[redacted:payment-card]",
            "[redacted:payment-card:2]",
            "[redacted:payment-card]",
            "[redacted:payment-card:2]",
        )
    ]


def test_secrets_that_differ_in_case_are_different():
    tally = Tally()
    assert [written("replace", value, of=TOKEN, tally=tally) for value in ("aB", "ab")] == [
        *("[redacted:token]", "[redacted:token:2]")
    ]


def test_what_a_policy_defines_is_called_as_the_policy_calls_it():
    assert written("replace", "T-1", of=OWN) == "[redacted:ticket]"


def test_a_hash_is_the_same_for_the_same_value_and_tenant():
    one, same, other, tenant = (
        written("hash", "4111 1111"),
        written("hash", "41111111"),
        written("hash", "4242"),
        written("hash", "4111 1111", key=b"x" * 32),
    )
    assert one == same
    assert len({one, other, tenant}) == 3
    assert re.fullmatch(r"\[payment-card:[a-p]{10}\]", one)


def test_without_a_key_a_hash_is_a_placeholder():
    assert written("hash", "4111", key=None) == "[redacted:payment-card]"


def test_a_reversible_placeholder_is_a_pseudonym_where_there_are_any():
    assert written("replace", "4111", reversible=True, tally=Tally(Pseudonyms())) == "[PAYMENT-CARD-1]"
    assert written("replace", "4111", reversible=True) == "[redacted:payment-card]"


@pytest.mark.parametrize("number", ["[US-SSN-536904399]", "[payment-card:4111111111]", "[redacted:phone:2025550143]"])
def test_no_number_that_is_to_be_found_passes_for_a_placeholder(number):
    assert not re.fullmatch(PLACEHOLDER, number)


def test_placeholders_look_as_stated():
    assert re.fullmatch(PLACEHOLDER, written("replace", "4111"))
