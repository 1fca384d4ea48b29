# SPDX-License-Identifier: Apache-2.0
"""What `serve --ray` is told, checked once. It imports nothing of Ray."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from inference.settings import SettingsWrong

DEFAULT_TARGET: Final = 16.0
DEFAULT_MOST: Final = 64
DEFAULT_UPSCALE_S: Final = 15.0
DEFAULT_DOWNSCALE_S: Final = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterSettings:
    """How many replicas there are, when there are more, and what each one takes."""

    # HOST:PORT of a cluster that runs; None starts one for this process, on the loopback address.
    address: str | None = None
    min_replicas: int = 1
    max_replicas: int = 1
    # Requests a replica should have, running and waiting, on average: above it a replica is added, below it one goes.
    target_ongoing_requests: float = DEFAULT_TARGET
    # Requests a replica takes at most; the others wait at the entrance.
    max_ongoing_requests: int = DEFAULT_MOST
    upscale_delay_s: float = DEFAULT_UPSCALE_S
    downscale_delay_s: float = DEFAULT_DOWNSCALE_S
    replica_cpus: float = 1.0
    # None: one for each replica where the cluster has GPUs, else none.
    replica_gpus: float | None = None

    def __post_init__(self) -> None:
        if self.max_replicas < self.min_replicas:
            raise SettingsWrong(
                f"--max-replicas {self.max_replicas} is less than --min-replicas {self.min_replicas}: raise it"
            )
        if self.target_ongoing_requests > self.max_ongoing_requests:
            raise SettingsWrong(
                f"--target-ongoing-requests {self.target_ongoing_requests:g} is more than --max-ongoing-requests "
                f"{self.max_ongoing_requests}: no replica would ever have so many, and none would be added"
            )
        if self.address is not None and self.address.startswith("ray://"):
            raise SettingsWrong("--ray-address takes HOST:PORT of the cluster; a Ray client port (ray://) is not used")


def require_protected_cluster(environment: Mapping[str, str] = os.environ) -> None:
    """Refuses a cluster of several machines whose own ports are open to whoever reaches them.

    Ray runs any code that it is sent. What keeps strangers out is its own TLS with client certificates and its token.
    """
    if environment.get("RAY_USE_TLS", "").lower() not in {"1", "true"}:
        raise SettingsWrong(
            "--ray-address needs Ray's own TLS: set RAY_USE_TLS=1, RAY_TLS_SERVER_CERT, RAY_TLS_SERVER_KEY and "
            "RAY_TLS_CA_CERT here and on every machine of the cluster"
        )
    if environment.get("RAY_AUTH_MODE", "").lower() != "token":
        raise SettingsWrong(
            "--ray-address needs Ray's own authentication: set RAY_AUTH_MODE=token and RAY_AUTH_TOKEN_PATH here and on "
            "every machine of the cluster"
        )
