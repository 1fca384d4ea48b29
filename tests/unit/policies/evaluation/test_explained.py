# SPDX-License-Identifier: Apache-2.0
"""What an explanation is made of."""

from policies.evaluation.explained import Stage


def test_a_stage_of_the_decision_has_no_reason_of_its_own():
    assert Stage(name="access", verdict="refuse").reason is None
