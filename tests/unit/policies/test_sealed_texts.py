# SPDX-License-Identifier: Apache-2.0
import json
from dataclasses import replace

import pytest

from policies.contracts.content import Side
from policies.contracts.recording import MOST_BYTES
from policies.sealed_texts import KeptText, Seal, SealBroken, SealedTexts

SEAL = Seal(key=bytes(32), tenant="default")
TEXTS = (KeptText(path="messages.0.content", text="höre\n\0"), KeptText(path="messages.1.content", text=""))


def sealed() -> SealedTexts:
    return SEAL.close(TEXTS, side=Side.PROMPT, record_id="01A", day="2026-11-20", truncated=True)


def test_what_was_sealed_is_opened_from_its_form_in_a_payload():
    read = SealedTexts.from_json(json.loads(json.dumps(sealed().to_json())))
    assert SEAL.open(read, side=Side.PROMPT, record_id="01A") == TEXTS
    assert read.truncated


def test_the_text_is_not_in_it():
    assert b"h\xc3\xb6re" not in sealed().box


def test_the_same_texts_are_sealed_differently_each_time():
    assert sealed().box != sealed().box


@pytest.mark.parametrize(
    ("change", "side", "record_id"),
    [
        pytest.param({}, Side.ANSWER, "01A", id="moved to the other side"),
        pytest.param({}, Side.PROMPT, "01B", id="moved to another record"),
        pytest.param({"day": "2026-11-21"}, Side.PROMPT, "01A", id="said to be of another day"),
        pytest.param({"box": bytes(40)}, Side.PROMPT, "01A", id="altered"),
        pytest.param({"nonce": b""}, Side.PROMPT, "01A", id="without a nonce"),
    ],
)
def test_what_was_moved_or_altered_does_not_open(change, side, record_id):
    with pytest.raises(SealBroken):
        SEAL.open(replace(sealed(), **change), side=side, record_id=record_id)


def test_another_tenant_does_not_open_it():
    with pytest.raises(SealBroken):
        replace(SEAL, tenant="other").open(sealed(), side=Side.PROMPT, record_id="01A")


@pytest.mark.parametrize("raw", [{}, {"day": "d", "nonce": "!", "box": "", "truncated": False}, {"day": "d"}])
def test_what_is_no_form_of_sealed_texts_is_refused(raw):
    with pytest.raises(SealBroken):
        SealedTexts.from_json(raw)


def test_the_most_that_policy_keeps_of_both_sides_fits_into_a_line_of_the_spool():
    text = KeptText(path="messages.0.content", text="\0" * MOST_BYTES)
    form = SEAL.close([text], side=Side.PROMPT, record_id="01A", day="2026-11-20").to_json()
    assert 2 * len(json.dumps(form)) < 1024 * 1024 - 64 * 1024
