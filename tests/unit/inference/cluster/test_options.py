# SPDX-License-Identifier: Apache-2.0
"""The options of a cluster, as a command gets them."""

import click
import pytest
from click.testing import CliRunner

from inference.cluster.options import cluster_options
from inference.cluster.settings import ClusterSettings


def settings_of(*arguments: str) -> tuple[object, int, str]:
    got: list[object] = []

    @click.command()
    @click.option("--port", type=int, default=1)
    @cluster_options
    def command(*, port: int, cluster: ClusterSettings | None) -> None:
        got.append((port, cluster))

    result = CliRunner().invoke(command, arguments)
    return (got[0] if got else None), result.exit_code, result.output


@pytest.mark.parametrize(
    ("arguments", "want"),
    [
        pytest.param([], None, id="no-cluster"),
        pytest.param(["--ray"], ClusterSettings(), id="one-replica-here"),
        pytest.param(["--ray", "--min-replicas", "2"], ClusterSettings(min_replicas=2, max_replicas=2), id="just-two"),
        pytest.param(
            ["--ray", "--ray-address", "10.0.0.1:6379", "--max-replicas", "4"],
            ClusterSettings(address="10.0.0.1:6379", max_replicas=4),
            id="up-to-four-elsewhere",
        ),
        pytest.param(
            ["--ray", "--replica-gpus", "0", "--upscale-delay-s", "0"],
            ClusterSettings(replica_gpus=0.0, upscale_delay_s=0.0),
            id="zero-is-said-and-not-absent",
        ),
    ],
)
def test_reads(arguments, want):
    assert ((1, want), 0, "") == settings_of(*arguments)


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        pytest.param(["--min-replicas", "2"], "--min-replicas", id="replicas-without-a-cluster"),
        pytest.param(["--ray-address", "10.0.0.1:6379"], "--ray-address", id="an-address-without-a-cluster"),
        pytest.param(["--ray", "--min-replicas", "2", "--max-replicas", "1"], "--max-replicas", id="fewer-than-fewest"),
    ],
)
def test_refuses(arguments, names):
    got, code, output = settings_of(*arguments)
    assert (got, code) == (None, 2)
    assert names in output
