# SPDX-License-Identifier: Apache-2.0
"""The options of `serve` that concern a cluster, read into its settings."""

import functools
from collections.abc import Callable
from dataclasses import fields
from typing import Any, Final

import click

from inference.cluster.settings import (
    DEFAULT_DOWNSCALE_S,
    DEFAULT_MOST,
    DEFAULT_TARGET,
    DEFAULT_UPSCALE_S,
    ClusterSettings,
)
from inference.settings import SettingsWrong

_REPLICAS: Final = click.IntRange(1, 1000)
_SECONDS: Final = click.FloatRange(0, 86_400)

# In the order of --help, each named as its setting is. None has a default, so that what was given is known.
_OPTIONS: Final = (
    click.option("--ray", is_flag=True, help="Answer by replicas on Ray Serve; needs the group `ray`."),
    click.option("--ray-address", metavar="HOST:PORT", help="A Ray cluster that runs; without it one is started here."),
    click.option("--min-replicas", type=_REPLICAS, help="Replicas there always are.  [1]"),
    click.option("--max-replicas", type=_REPLICAS, help="Replicas there are at most.  [--min-replicas]"),
    click.option(
        "--target-ongoing-requests",
        type=click.FloatRange(0.1, 10_000),
        help=f"Requests a replica should have, running and waiting, on average.  [{DEFAULT_TARGET:g}]",
    ),
    click.option(
        "--max-ongoing-requests",
        type=click.IntRange(1, 10_000),
        help=f"Requests a replica takes at most; others wait at the entrance.  [{DEFAULT_MOST}]",
    ),
    click.option(
        "--upscale-delay-s",
        type=_SECONDS,
        help=f"How long there are too many before one is added.  [{DEFAULT_UPSCALE_S:g}]",
    ),
    click.option(
        "--downscale-delay-s",
        type=_SECONDS,
        help=f"How long there are too few before one goes.  [{DEFAULT_DOWNSCALE_S:g}]",
    ),
    click.option("--replica-cpus", type=click.FloatRange(0.01, 1024), help="Cores that Ray counts for a replica.  [1]"),
    click.option(
        "--replica-gpus", type=click.FloatRange(0, 64), help="GPUs of a replica.  [1 where the cluster has any]"
    ),
)

_NAMES: Final = ("ray", "ray_address", *(each.name for each in fields(ClusterSettings) if each.name != "address"))


def cluster_options(command: Callable[..., None]) -> Callable[..., None]:
    """Adds the options to a command, which gets `cluster`: their settings, or None without --ray."""

    @functools.wraps(command)
    def with_cluster(**given: Any) -> None:
        chosen = {name: given.pop(name) for name in _NAMES}
        try:
            cluster = _settings(
                {name: value for name, value in chosen.items() if value is not None and value is not False}
            )
        except SettingsWrong as exc:
            raise click.UsageError(str(exc)) from exc
        command(cluster=cluster, **given)

    return functools.reduce(lambda function, option: option(function), reversed(_OPTIONS), with_cluster)


def _settings(given: dict[str, Any]) -> ClusterSettings | None:
    if given.pop("ray", None) is None:
        if given:
            raise SettingsWrong(f"--{min(given).replace('_', '-')} concerns a cluster: give --ray too, or leave it out")
        return None
    given.setdefault("max_replicas", given.get("min_replicas", 1))
    return ClusterSettings(address=given.pop("ray_address", None), **given)
