# SPDX-License-Identifier: Apache-2.0
from dataclasses import replace

import pytest

from proxy_addons.node.claims import Claim, ClaimsOfSlot, claim_from
from proxy_addons.node.messages import Measured, decode, encode
from proxy_addons.node.totals import Unintelligible

SAID = {"id": "node-1/w0", "boot_id": "b", "last_seq": 7}
CLAIM = Claim(id="node-1/w0", boot_id="b", last_seq=7)


def test_what_a_worker_says_is_claimed():
    claim = claim_from(SAID)
    assert claim == CLAIM
    assert claim.to_json() == SAID | {"ended": False}


def test_a_worker_of_the_version_before_says_nothing():
    assert claim_from(None) is None


@pytest.mark.parametrize("raw", [{}, [], "b", SAID | {"last_seq": -1}, SAID | {"last_seq": "7"}, SAID | {"id": 1}])
def test_anything_else_is_not_taken(raw):
    with pytest.raises(Unintelligible):
        claim_from(raw)


def test_the_last_word_of_a_process_that_ended_stays():
    claims = ClaimsOfSlot()
    claims.retire(CLAIM)
    claims.retire(None)
    running = replace(CLAIM, boot_id="c", last_seq=1)
    assert claims.with_running([running, None]) == (replace(CLAIM, ended=True), running)


def test_only_the_newest_of_those_that_ended_are_kept():
    claims = ClaimsOfSlot()
    for number in range(20):
        claims.retire(replace(CLAIM, boot_id=str(number)))
    assert [claim.boot_id for claim in claims.with_running([])] == [str(number) for number in range(4, 20)]


def test_a_message_without_a_claim_is_understood():
    assert decode(b'{"type":"measured","series":[]}\n') == Measured(series=[], source=None)
    assert decode(encode(Measured(series=[], source=SAID))).source == SAID
