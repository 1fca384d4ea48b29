# SPDX-License-Identifier: Apache-2.0
import pytest

from controlplane.services.fleet import EnvironmentReading
from tests.control_planes import make_plane, sqlite_url


@pytest.fixture
def api(tmp_path):
    made = make_plane(sqlite_url(tmp_path))
    yield made
    made.store.close()


def report(api, node):
    body = {"node_id": node, "version": "1", "workers": [], "guard_engine": "embedded"}
    assert api.call("POST", f"/v1/agents/{node}/status", "agent", json=body).status_code == 200


def test_readings_tell_silent_nodes_from_those_that_report(api):
    report(api, "edge-1")
    report(api, "edge-2")
    api.clock.turn(16)
    report(api, "edge-2")
    reading = EnvironmentReading(tenant="default", environment="production", serial=0, nodes=2, stale_nodes=1)
    assert api.plane.fleet.readings() == (reading,)


def test_readings_name_the_serial_in_force(api):
    api.activate(api.release()["id"])
    (reading,) = api.plane.fleet.readings()
    assert reading.serial == 1


def claim(source="edge-1/w0", last_seq=3):
    return {"id": source, "boot_id": "b", "last_seq": last_seq, "ended": False}


def report_sources(api, *claims, node="edge-1"):
    body = {"node_id": node, "version": "1", "workers": [], "guard_engine": "embedded", "sources": list(claims)}
    return api.call("POST", f"/v1/agents/{node}/status", "agent", json=body)


def keep_reporting(api, seconds, *claims, node="edge-1"):
    """Report as a node does, now and then, until so many seconds later."""
    for _ in range(seconds // 10):
        api.clock.turn(10)
        report_sources(api, *claims, node=node)
    api.clock.turn(seconds % 10)


def gaps(api):
    with api.store.read() as session:
        entries = list(session.log.entries("default", 0, session.log.size("default") - 1))
    return [entry for entry in entries if entry.kind == "gap"]


def test_what_a_node_numbered_and_never_sent_is_written_down_as_missing(api):
    assert report_sources(api, claim()).status_code == 200
    keep_reporting(api, 59, claim())
    report_sources(api, claim())
    assert gaps(api) == []
    api.clock.turn(2)
    report_sources(api, claim(last_seq=4))
    (missing,) = gaps(api)
    assert b'"first_seq":1,' in missing.envelope
    report_sources(api, claim())
    assert len(gaps(api)) == 1


def test_what_could_not_arrive_while_nobody_was_heard_is_not_missing(api):
    report_sources(api, claim())
    report_sources(api, claim(source="edge-2/w0"), node="edge-2")
    api.clock.turn(3600)  # this server was away
    report_sources(api, claim(source="edge-2/w0"), node="edge-2")
    report_sources(api, claim())
    keep_reporting(api, 50, claim())
    assert gaps(api) == []
    keep_reporting(api, 20, claim())
    assert len(gaps(api)) == 2  # of each node


def test_what_could_not_arrive_while_its_node_was_cut_off_is_not_missing(api):
    report_sources(api, claim())
    keep_reporting(api, 50, node="edge-2")
    report_sources(api, claim())
    keep_reporting(api, 50, claim())
    assert gaps(api) == []
    keep_reporting(api, 20, claim())
    assert len(gaps(api)) == 1


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param(claim(source="edge-2/w0"), id="of another node"),
        pytest.param(claim(source="edge-10/w0"), id="of one with a name that begins alike"),
        pytest.param(claim(last_seq=-1), id="a number below none"),
        pytest.param({"id": "edge-1/w0"}, id="half of one"),
    ],
)
def test_a_claim_that_is_none_of_the_nodes_own_is_refused(api, wrong):
    assert report_sources(api, wrong).status_code == 400
    api.clock.turn(61)
    report_sources(api)
    assert gaps(api) == []
