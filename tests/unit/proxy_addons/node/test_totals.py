# SPDX-License-Identifier: Apache-2.0
import pytest

from proxy_addons.core.series import Histogram, to_json
from proxy_addons.node.totals import Totals, Unintelligible, series_from

BYTES = "gatehouse_received_bytes_total"
OPEN = "gatehouse_connections"


def test_counters_of_those_that_ended_and_those_that_run_are_added_and_gauges_only_of_the_latter():
    totals = Totals()
    totals.retire([(BYTES, (), 5), (OPEN, (), 9)])
    sums = totals.with_running([[(BYTES, (), 1), (OPEN, (), 2)], [(BYTES, (), 3)]])
    assert sums == {(BYTES, ()): [9], (OPEN, ()): [2]}
    assert totals.with_running([]) == {(BYTES, ()): [5]}


def test_histograms_are_added_bucket_by_bucket():
    times = Histogram()
    times.observe(60_000)
    sums = Totals().with_running([series_from(to_json([("gatehouse_spool_flush_seconds", (), times.read())]))] * 2)
    counts = sums["gatehouse_spool_flush_seconds", ()]
    assert (counts[1], sum(counts[:-1]), counts[-1]) == (2, 2, 120_000)


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param({}, id="no-list"),
        pytest.param([["gatehouse_unheard_of", [], 1]], id="unknown-name"),
        pytest.param([[BYTES, ["a-label"], 1]], id="wrong-labels"),
        pytest.param([[BYTES, [], "1"]], id="no-number"),
        pytest.param([[BYTES, [], True]], id="a-boolean"),
        pytest.param([[BYTES, []]], id="cut-short"),
        pytest.param(["abc"], id="text"),
        pytest.param([[BYTES, 3, 1]], id="labels-no-list"),
        pytest.param([["gatehouse_spool_flush_seconds", [], [1, 2]]], id="buckets-missing"),
        pytest.param([["gatehouse_spool_flush_seconds", [], 3]], id="histogram-as-a-number"),
        pytest.param([[[], [], 3]], id="name-no-text"),
    ],
)
def test_anything_else_is_unintelligible(raw):
    with pytest.raises(Unintelligible):
        series_from(raw)
