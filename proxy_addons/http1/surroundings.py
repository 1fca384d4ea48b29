# SPDX-License-Identifier: Apache-2.0
"""What all connections of a worker share."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from mitmproxy.options import Options
from mitmproxy.proxy.mode_specs import ProxyMode

from proxy_addons.http1.hooks import HookTable
from proxy_addons.http1.pools import UpstreamPools
from proxy_addons.http1.turn import Terms

if TYPE_CHECKING:
    from proxy_addons.http1.connection import ClientConnection


class Registry(Protocol):
    """Who counts the open connections."""

    def opened(self, connection: "ClientConnection", /) -> None: ...
    def closed(self, connection: "ClientConnection", /) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """`registry` knows the open connections."""

    hooks: HookTable
    pool: UpstreamPools
    terms: Terms
    options: Options
    mode: ProxyMode
    registry: Registry
