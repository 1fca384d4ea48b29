# SPDX-License-Identifier: Apache-2.0
import pytest

from policies.detectors.context import Words
from policies.detectors.contract import Candidate
from policies.detectors.personal.national.number import judge_of

JUDGE = judge_of(
    lambda number: number.startswith("7"), Words.of("hexagon"), own="[0-9]-[0-9]", against=Words.of("octagon")
)


@pytest.mark.parametrize(
    ("value", "before", "lenient", "want"),
    [
        pytest.param("71", "hexagon ", False, 1.0, id="right-and-named"),
        pytest.param("71", "tax id ", False, 1.0, id="right-and-named-as-in-any-country"),
        pytest.param("71", "", True, None, id="right-and-nameless"),
        pytest.param("7-1", "", False, 0.7, id="right-and-in-its-own-form"),
        pytest.param("7-1", "octagon ", False, None, id="right-and-in-its-own-form-but-another"),
        pytest.param("81", "hexagon ", True, 0.5, id="wrong-and-named"),
        pytest.param("81", "hexagon ", False, None, id="wrong-and-named-but-strict"),
        pytest.param("81", "tax id ", True, None, id="wrong-and-named-as-in-any-country"),
        pytest.param("8-1", "", True, None, id="wrong-and-in-its-own-form"),
    ],
)
def test_weighs_check_form_and_names(value, before, lenient, want):
    assert want == JUDGE(Candidate(value=value, before=before, lenient=lenient))
