# SPDX-License-Identifier: Apache-2.0
"""The limits that an operator sets, as a worker takes them to heart."""

import resource
from typing import Final

import structlog

from proxy_addons.http1.bounds import Bounds
from proxy_addons.settings import Limits

_log: Final = structlog.get_logger()

# Listener, channel, spool, guard's connections, libraries: beside those of clients and upstreams.
_OTHER_FILES: Final = 256


def bounds_of(limits: Limits, drain_s: float) -> Bounds:
    """Return the bounds of a worker: the operator's where there are any, else those with their reasons."""
    return Bounds(
        connections=limits.connections,
        requests=limits.requests,
        first_byte_s=limits.upstream_first_byte_s,
        upstream_idle_s=limits.upstream_idle_s,
        upstream_total_s=limits.upstream_total_s,
        drain_s=drain_s,
    )


def allow_open_files(limits: Limits) -> None:
    """Allow as many open files as the system lets us, and say where the bounds ask for more: 1,024 is a usual limit."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    wanted = limits.connections + limits.requests + _OTHER_FILES
    if hard != resource.RLIM_INFINITY and hard < wanted:
        _log.warning("open_files_limited", limit=hard, wanted=wanted)
