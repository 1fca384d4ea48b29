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
