# SPDX-License-Identifier: Apache-2.0
"""A worker's traces: none, or those that go to the collector that an operator named."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from proxy_addons.addons.trace import Trace
from proxy_addons.settings import NodeSettings


async def _nothing() -> None:
    return


@dataclass(frozen=True, slots=True)
class Traces:
    """The addon that makes them, and what sends the last ones when the worker has drained."""

    addon: Trace | None = None
    close: Callable[[], Awaitable[None]] = _nothing


def open_traces(settings: NodeSettings, slot: int) -> Traces:
    """Return the traces of the worker of `slot`. Without a collector the SDK is not even imported."""
    if settings.otlp_endpoint is None:
        return Traces()
    from proxy_addons.clients.telemetry import Tracing, identifiers  # noqa: PLC0415  # ten megabytes that only this needs

    tracing = Tracing(settings.otlp_endpoint, **identifiers(settings, f"{settings.node_id}/w{slot}"))
    scheme = "http" if settings.proxy_tls is None else "https"
    return Traces(Trace(tracing.begin, scheme=scheme), tracing.close)
