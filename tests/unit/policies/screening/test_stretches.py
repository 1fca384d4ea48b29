# SPDX-License-Identifier: Apache-2.0
import pytest

from policies.screening.stretches import stretches


def spans(*gains):
    return list(stretches((place, place + 1, gain) for place, gain in enumerate(gains)))


@pytest.mark.parametrize(
    ("gains", "want"),
    [
        pytest.param((), [], id="nothing"),
        pytest.param((1, 1), [], id="too-little"),
        pytest.param((-2, 2, 2, -2), [(1, 3)], id="stands-out"),
        pytest.param((2, -0.1, 2), [(0, 3)], id="unknown-between"),
        pytest.param((-1, -0.1, 2, 2, -0.1, -1), [(1, 5)], id="unknown-at-the-ends"),
        pytest.param((2, -1, 2, -9, -0.1, 2, 2), [(0, 3), (4, 7)], id="two"),
        pytest.param((2, 2, -3, 1.5), [(0, 2)], id="little-behind-a-gap"),
        pytest.param((0.5, -0.1, -0.1, -0.1, -0.1, -0.1, 2, 2), [(0, 8)], id="begins-anew-where-it-fell-to-nothing"),
    ],
)
def test_a_stretch_is_where_evidence_adds_up(gains, want):
    assert spans(*gains) == want
