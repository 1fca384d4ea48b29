# SPDX-License-Identifier: Apache-2.0
import pytest

from proxy_addons.core.series import BUCKETS_S, Histogram, to_json


@pytest.mark.parametrize(
    ("duration_ns", "bucket"),
    [
        pytest.param(0, 0, id="nothing"),
        pytest.param(50_000, 0, id="exactly-a-bound-is-within-it"),
        pytest.param(50_001, 1, id="just-beyond-it"),
        pytest.param(10**12, len(BUCKETS_S), id="beyond-every-bound"),
    ],
)
def test_histogram_counts_in_the_right_bucket(duration_ns, bucket):
    times = Histogram()
    times.observe(duration_ns)
    assert times.read() == [int(index == bucket) for index in range(len(BUCKETS_S) + 1)] + [duration_ns]


def test_series_are_lists_on_the_channel():
    assert to_json([("a", ("x",), 1), ("b", (), [1, 2])]) == [["a", ["x"], 1], ["b", [], [1, 2]]]
