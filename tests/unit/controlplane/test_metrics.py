# SPDX-License-Identifier: Apache-2.0
from concurrent.futures import ThreadPoolExecutor

import pytest
from prometheus_client.parser import text_string_to_metric_families

from controlplane.metric_families import FAMILIES
from controlplane.metrics import Metrics
from controlplane.services.errors import Invalid, StoreUnavailable
from controlplane.services.fleet import EnvironmentReading
from controlplane.services.records import Ingested

READING = EnvironmentReading(tenant="default", environment="production", serial=7, nodes=3, stale_nodes=1)


def read(metrics, readings=lambda: (READING,)):
    page = metrics.page(readings).decode()
    return {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
    }


def unreadable():
    raise StoreUnavailable("locked")


def test_the_page_has_the_families_of_the_table_and_no_other():
    metrics = Metrics()
    metrics.served(method="GET", route="/v1/roles", status=200, seconds=0.1)
    page = metrics.page(lambda: (READING,)).decode()
    kinds = [tuple(line.split()[2:]) for line in page.splitlines() if line.startswith("# TYPE")]
    assert sorted(kinds) == sorted((family.name, family.kind.value) for family in FAMILIES)


def test_requests_are_counted_by_class_of_status():
    metrics = Metrics()
    for status in (200, 201, 404, None):
        metrics.served(method="GET", route="/v1/roles", status=status, seconds=0.2)
    values = read(metrics)
    name, labels = "gatehouse_controlplane_requests_total", (("method", "GET"), ("route", "/v1/roles"))
    assert values[(name, *labels, ("status", "2xx"))] == 2
    assert values[(name, *labels, ("status", "4xx"))] == 1
    assert values[(name, *labels, ("status", "none"))] == 1
    seconds = "gatehouse_controlplane_request_seconds"
    assert values[(f"{seconds}_count", *labels)] == 4
    assert values[(f"{seconds}_sum", *labels)] == pytest.approx(0.8)
    assert values[(f"{seconds}_bucket", ("le", "0.1"), *labels)] == 0
    assert values[(f"{seconds}_bucket", ("le", "0.25"), *labels)] == 4


def test_lines_of_batches_are_counted():
    metrics = Metrics()
    metrics.ingested(Ingested(stored=5, duplicates=2, quarantined=1))
    metrics.ingested(Ingested(stored=1, duplicates=0, quarantined=0))
    values = read(metrics)
    found = {key[1][1]: value for key, value in values.items() if key[0] == "gatehouse_controlplane_records_total"}
    assert found == {"stored": 6, "duplicate": 2, "quarantined": 1}


@pytest.mark.parametrize("kind", ["release", "activation"])
def test_outcomes_are_what_came_of_it(kind):
    metrics = Metrics()
    outcome = getattr(metrics, kind)
    with outcome():
        pass
    with pytest.raises(Invalid), outcome():
        raise Invalid("tests-failed", "a canary")
    with pytest.raises(StoreUnavailable), outcome():
        raise StoreUnavailable("a canary")
    found = {k[1][1]: v for k, v in read(metrics).items() if k[0] == f"gatehouse_controlplane_{kind}s_total"}
    assert found == {"made": 1, "tests-failed": 1, "failed": 1}


def test_waiters_come_and_go():
    metrics = Metrics()
    waiters = ("gatehouse_controlplane_feed_waiters",)
    with metrics.waiting(), metrics.waiting():
        assert read(metrics)[waiters] == 2
    assert read(metrics)[waiters] == 0


def test_the_store_is_read_when_the_page_is():
    values = read(Metrics())
    labels = (("environment", "production"), ("tenant", "default"))
    assert values[("gatehouse_controlplane_store_up",)] == 1
    assert values[("gatehouse_controlplane_serial", *labels)] == 7
    assert values[("gatehouse_controlplane_nodes", *labels)] == 3
    assert values[("gatehouse_controlplane_stale_nodes", *labels)] == 1


def test_a_store_that_does_not_answer_leaves_the_rest_of_the_page():
    metrics = Metrics()
    metrics.ingested(Ingested(stored=1, duplicates=0, quarantined=0))
    values = read(metrics, unreadable)
    assert values[("gatehouse_controlplane_store_up",)] == 0
    assert values[("gatehouse_controlplane_records_total", ("outcome", "stored"))] == 1
    assert not [key for key in values if key[0] == "gatehouse_controlplane_serial"]


def test_threads_lose_no_count():
    metrics = Metrics()

    def count():
        for _ in range(500):
            metrics.served(method="GET", route="/", status=200, seconds=0)

    with ThreadPoolExecutor(8) as threads:
        for _ in range(8):
            threads.submit(count)
    labels = (("method", "GET"), ("route", "/"), ("status", "2xx"))
    assert read(metrics)[("gatehouse_controlplane_requests_total", *labels)] == 4000


def test_two_control_planes_in_one_process_count_apart():
    one, other = Metrics(), Metrics()
    one.ingested(Ingested(stored=1, duplicates=0, quarantined=0))
    assert not [key for key in read(other) if key[0] == "gatehouse_controlplane_records_total"]
