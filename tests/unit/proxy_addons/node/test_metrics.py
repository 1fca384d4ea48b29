# SPDX-License-Identifier: Apache-2.0
from prometheus_client.parser import text_string_to_metric_families

from proxy_addons.core.series import Histogram
from proxy_addons.node.metric_families import FAMILIES
from proxy_addons.node.metrics import FeedContact, Readings, exposition
from proxy_addons.node.status import NodeStatus, RejectedBundle, SpoolDepth
from proxy_addons.node.totals import Totals
from proxy_addons.node.worker_process import WorkerState

STATUS = NodeStatus(
    node_id="node-1",
    environment="production",
    version="1",
    workers=(WorkerState(slot=0, pid=1, ready=True, serial=7, revision="sha256:ab", epoch=3), WorkerState(slot=1)),
    spool=SpoolDepth(records=4, oldest_s=9, shipped=11),
    guard_engine="opa",
    rejected_bundle=RejectedBundle(code="serial-not-newer", etag="", final=True),
)


def samples(**changes):
    times = Histogram()
    times.observe(2_000_000)
    counted = [
        ("gatehouse_requests_total", ("chat", "deny", "model-not-permitted", "blocked"), 2),
        ("gatehouse_stage_seconds", ("total",), times.read()),
    ]
    given = {
        "status": STATUS,
        "sums": Totals().with_running([counted]),
        "answered": frozenset({0}),
        "starts": {0: 2, 1: 1},
        "hangs": {0: 1},
        "feeds": {"bundles": FeedContact(up=True, age_s=2.5), "credentials": FeedContact(up=False, age_s=None)},
        "spool_bytes": 100,
        "opa_up": True,
    }
    page = exposition(Readings(**(given | changes))).decode()
    return {
        (sample.name, tuple(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
    }


def test_what_workers_counted_and_what_the_node_knows_stand_on_one_page():
    found = samples()
    assert found["gatehouse_requests_total", ("chat", "deny", "model-not-permitted", "blocked")] == 2
    assert found["gatehouse_worker_up", ("0",)] == 1
    assert found["gatehouse_worker_up", ("1",)] == 0
    assert found["gatehouse_worker_starts_total", ("0",)] == 2
    assert found["gatehouse_worker_hangs_total", ("0",)] == 1
    assert found["gatehouse_policy_serial", ("0",)] == 7
    assert ("gatehouse_policy_serial", ("1",)) not in found
    assert found["gatehouse_policy_info", ("sha256:ab", "0")] == 1
    assert found["gatehouse_policy_rejected", ("serial-not-newer",)] == 1
    assert found["gatehouse_feed_up", ("credentials",)] == 0
    assert found["gatehouse_feed_age_seconds", ("bundles",)] == 2.5
    assert ("gatehouse_feed_age_seconds", ("credentials",)) not in found
    assert found["gatehouse_spool_oldest_seconds", ()] == 9
    assert found["gatehouse_records_shipped_total", ()] == 11


def test_buckets_are_cumulative():
    found = samples()
    assert found["gatehouse_stage_seconds_bucket", ("0.001", "total")] == 0
    assert found["gatehouse_stage_seconds_bucket", ("0.0025", "total")] == 1
    assert found["gatehouse_stage_seconds_bucket", ("+Inf", "total")] == 1
    assert found["gatehouse_stage_seconds_sum", ("total",)] == 0.002


def test_an_embedded_guard_has_no_opa_to_be_up():
    assert ("gatehouse_opa_up", ()) not in samples(opa_up=None)


def test_every_family_is_on_the_page_with_its_meaning():
    page = exposition(
        Readings(
            status=STATUS, sums={}, answered=frozenset(), starts={}, hangs={}, feeds={}, spool_bytes=0, opa_up=None
        )
    ).decode()
    assert [family.name for family in FAMILIES if f"# TYPE {family.name} {family.kind.value}" not in page] == []
