# SPDX-License-Identifier: Apache-2.0
import pytest

from policies.scanning.budget import Budget, BudgetSpent


def test_what_is_left_can_be_taken():
    budget = Budget(10)
    budget.decode(4)
    budget.decode(6)
    assert budget.decoded_bytes == 0


def test_spent_stays_spent():
    budget = Budget(10)
    with pytest.raises(BudgetSpent):
        budget.decode(11)
    with pytest.raises(BudgetSpent):
        budget.decode(0)
