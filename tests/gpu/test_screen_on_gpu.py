# SPDX-License-Identifier: Apache-2.0
"""The prompt screen's classifier on a real GPU: the scores of the CPU, alone and in a batch."""

import pytest

pytestmark = [pytest.mark.gpu, pytest.mark.slow, pytest.mark.timeout(700)]

# Products of float32 are rounded elsewhere on a GPU.
TOLERANCE = 5e-3


def test_scores_are_those_of_the_cpu_alone_and_in_a_batch_of_hundreds(gpu, told_by):
    on_gpu, on_cpu = told_by("screen", on_gpu=True), told_by("screen", on_gpu=False)
    assert (on_gpu["device"], on_cpu["device"]) == ("cuda", "cpu")
    assert on_gpu["alone"] == pytest.approx(on_cpu["alone"], abs=TOLERANCE)
    assert on_gpu["together"] == pytest.approx(on_cpu["alone"] * 50, abs=TOLERANCE)
    # A classifier that says the same of every text would pass all that.
    assert max(on_cpu["alone"]) - min(on_cpu["alone"]) > 0.5
