# SPDX-License-Identifier: Apache-2.0
"""The pools of a worker, one for each upstream: a connection to one never serves a request for another."""

from collections.abc import Callable, Mapping
from typing import Final

from proxy_addons.core.series import Series
from proxy_addons.http1.messages import CallUpstream, UpstreamEvent
from proxy_addons.http1.pool import UpstreamCall, UpstreamPool


class UpstreamPools:
    """`default` is the pool of calls that name no upstream, `others` are those of the others by name."""

    def __init__(self, default: UpstreamPool, others: Mapping[str, UpstreamPool]) -> None:
        self._default: Final = default
        self._others: Final = dict(others)

    def call(self, asked: CallUpstream, sink: Callable[[UpstreamEvent], None]) -> UpstreamCall:
        """Send a request to the upstream that it names. Raises KeyError where there is none of that name."""
        pool = self._default if asked.upstream is None else self._others[asked.upstream]
        return pool.call(asked, sink)

    def gauges(self) -> list[Series]:
        """Return how many connections there are, to all upstreams together."""
        pools = (self._default, *self._others.values())
        return [
            ("gatehouse_upstream_connections", (), sum(pool.open_count for pool in pools)),
            ("gatehouse_upstream_connections_idle", (), sum(pool.idle_count for pool in pools)),
        ]

    def close(self) -> None:
        for pool in (self._default, *self._others.values()):
            pool.close()
