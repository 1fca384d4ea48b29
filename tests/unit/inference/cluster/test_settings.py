# SPDX-License-Identifier: Apache-2.0
"""What a cluster may be told."""

import pytest

from inference.cluster.settings import ClusterSettings, require_protected_cluster
from inference.settings import SettingsWrong

PROTECTED = {"RAY_USE_TLS": "1", "RAY_AUTH_MODE": "token"}


@pytest.mark.parametrize(
    ("given", "names"),
    [
        pytest.param({"min_replicas": 3, "max_replicas": 2}, "--max-replicas", id="fewer-at-most-than-at-least"),
        pytest.param(
            {"target_ongoing_requests": 9.0, "max_ongoing_requests": 8},
            "--target-ongoing-requests",
            id="a-target-that-no-replica-can-reach",
        ),
        pytest.param({"address": "ray://10.0.0.1:10001"}, "--ray-address", id="a-ray-client-port"),
    ],
)
def test_refuses(given, names):
    with pytest.raises(SettingsWrong, match=names):
        ClusterSettings(**given)


def test_takes_a_target_that_a_replica_can_just_reach():
    assert ClusterSettings(target_ongoing_requests=8.0, max_ongoing_requests=8).max_replicas == 1


def test_a_cluster_of_several_machines_needs_tls_and_a_token():
    require_protected_cluster(PROTECTED)
    for missing in PROTECTED:
        with pytest.raises(SettingsWrong, match=missing):
            require_protected_cluster({name: value for name, value in PROTECTED.items() if name != missing})


@pytest.mark.parametrize("value", ["0", "false", "yes"])
def test_reads_ray_s_switch_for_tls_as_ray_does(value):
    with pytest.raises(SettingsWrong, match="RAY_USE_TLS"):
        require_protected_cluster({**PROTECTED, "RAY_USE_TLS": value})
