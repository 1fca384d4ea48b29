# SPDX-License-Identifier: Apache-2.0
from prometheus_client import CollectorRegistry, generate_latest

from inference.metrics.families import SCREEN_FAMILIES
from inference.metrics.screened import ScreenMetrics, ScreenOutcome


def lines(registry):
    return dict(line.rsplit(" ", 1) for line in generate_latest(registry).decode().splitlines() if line[0] != "#")


def test_every_series_is_there_from_the_start():
    registry = CollectorRegistry()
    ScreenMetrics(registry)
    found = lines(registry)
    for outcome in ScreenOutcome:
        assert found[f'gatehouse_screen_questions_total{{outcome="{outcome}"}}'] == "0.0"
    assert found["gatehouse_screen_incomplete_total"] == "0.0"
    assert found['gatehouse_screen_windows_total{how="kept"}'] == "0.0"


def test_counts_what_it_is_told():
    registry = CollectorRegistry()
    metrics = ScreenMetrics(registry)
    metrics.watch(lambda: 7)
    metrics.scored(windows=5, seconds=0.02)
    metrics.reused(windows=3)
    metrics.answered(ScreenOutcome.BENIGN, seconds=0.2, complete=False)
    metrics.unanswered(ScreenOutcome.OVERLOADED)
    found = lines(registry)
    assert found["gatehouse_screen_windows_waiting"] == "7.0"
    assert found['gatehouse_screen_windows_total{how="scored"}'] == "5.0"
    assert found['gatehouse_screen_windows_total{how="kept"}'] == "3.0"
    assert found["gatehouse_screen_batch_windows_sum"] == "5.0"
    assert found["gatehouse_screen_batch_seconds_count"] == "1.0"
    assert found["gatehouse_screen_incomplete_total"] == "1.0"
    assert found["gatehouse_screen_seconds_count"] == "1.0"
    assert found['gatehouse_screen_questions_total{outcome="overloaded"}'] == "1.0"


def test_the_page_has_each_metric_with_its_kind_and_labels():
    registry = CollectorRegistry()
    ScreenMetrics(registry)
    page = generate_latest(registry).decode().splitlines()
    kinds = {line.split()[2]: line.split()[3] for line in page if line.startswith("# TYPE ")}
    for family in SCREEN_FAMILIES:
        assert family.kind.value == kinds[family.name]
        for label in family.labels:
            assert any(line.startswith(family.name + "{" + label) for line in page)
