# SPDX-License-Identifier: Apache-2.0
import pytest

from policies.scanning.budget import CANDIDATES, MAX_CANDIDATES, Budget, BudgetSpent, DecodingSpent, Judging


def test_what_is_left_can_be_taken():
    budget = Budget(10)
    budget.decode(4)
    budget.decode(6)
    assert budget.decoded_bytes == 0


def test_spent_stays_spent():
    budget = Budget(10)
    with pytest.raises(DecodingSpent):
        budget.decode(11)
    with pytest.raises(DecodingSpent):
        budget.decode(0)


def test_texts_that_belong_together_share_what_may_be_judged():
    judging = Judging()
    judging.judged = CANDIDATES - 2
    Budget(judging=judging).judge()
    Budget(judging=judging).judge()
    with pytest.raises(BudgetSpent):
        Budget(judging=judging).judge()
    Budget().judge()


def test_what_arrives_brings_more_up_to_a_bound():
    judging = Judging()
    judging.arrived(80)
    assert judging.left == CANDIDATES + 10
    judging.arrived(80, streamed=True)
    assert judging.left == CANDIDATES + 90
    judging.arrived(10**9)
    assert judging.left == MAX_CANDIDATES
