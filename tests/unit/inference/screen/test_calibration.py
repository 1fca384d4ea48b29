# SPDX-License-Identifier: Apache-2.0
import pytest

from inference.screen.calibration import expected_error, probability, sigmoid


@pytest.mark.parametrize(("value", "want"), [(0.0, 0.5), (1e6, 1.0), (-1e6, 0.0)])
def test_sigmoid_overflows_nowhere(value, want):
    assert sigmoid(value) == want


def test_probability_weighs_each_logit_and_adds_the_offset():
    assert probability((2.0, 0.5, -1.0), (1.0, 2.0)) == sigmoid(2.0)


def test_error_is_none_where_stated_is_what_occurs():
    assert expected_error([0.75] * 4, [True, True, True, False], [1.0] * 4) == pytest.approx(0)


def test_error_is_the_distance_between_stated_and_what_occurs():
    assert expected_error([0.9, 0.9, 0.1], [True, False, False], [1.0, 1.0, 2.0]) == pytest.approx((0.8 + 0.2) / 4)
