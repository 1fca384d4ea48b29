# SPDX-License-Identifier: Apache-2.0
"""A mitmproxy master with our addons and none of the stock ones, and a proxy mode of its own.

Facts: stock options such as `ignore_hosts` switch inspection off for some connections. Our layer reads none of them;
but whoever sets one expects something that would be a hole, so the worker refuses to start, or to take it later.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal

from mitmproxy import exceptions
from mitmproxy.master import Master
from mitmproxy.options import Options
from mitmproxy.proxy.mode_specs import ProxyMode

# Options that let traffic pass unexamined, or read and answered by something else than our layer.
SWITCHES_INSPECTION_OFF: Final = frozenset(
    {
        "allow_hosts",
        "body_size_limit",
        "client_replay",
        "http2",
        "http3",
        "ignore_hosts",
        "intercept",
        "map_local",
        "map_remote",
        "mode",
        "modify_body",
        "modify_headers",
        "rawtcp",
        "scripts",
        "server_replay",
        "show_ignored_hosts",
        "ssl_insecure",
        "stream_large_bodies",
        "tcp_hosts",
        "udp_hosts",
        "upstream_auth",
        "websocket",
    }
)


class UnsafeOption(ValueError):
    """An option that would let traffic pass unexamined, or that nobody here reads."""


class GatehouseMode(ProxyMode):
    """Reverse proxying by our own layer, on a socket that was bound elsewhere."""

    description = "Gatehouse reverse proxy"
    transport_protocol: Literal["tcp"] = "tcp"

    def __post_init__(self) -> None:
        if self.data:
            raise ValueError("the mode takes no arguments")


class LeanMaster(Master):
    """Holds the addons and their options; serving is the worker's."""

    def __init__(self, addons: Sequence[object], options: Mapping[str, Any]) -> None:
        """Raises UnsafeOption."""
        _refuse_unsafe(options)
        super().__init__(Options(), asyncio.get_running_loop())
        self.addons.add(*addons)
        unknown = options.keys() - self.options.keys()
        if unknown:
            raise UnsafeOption(f"no addon here reads the options {sorted(unknown)}")
        self.options.update(**options)
        changed = [name for name in SWITCHES_INSPECTION_OFF & self.options.keys() if self.options.has_changed(name)]
        _refuse_unsafe(dict.fromkeys(changed))
        self.options.changed.connect(self._refuse_change)

    def _refuse_change(self, updated: set[str]) -> None:
        try:
            _refuse_unsafe(dict.fromkeys(updated))
        except UnsafeOption as exc:
            raise exceptions.OptionsError(str(exc)) from exc  # mitmproxy then restores the old values


def _refuse_unsafe(options: Mapping[str, Any]) -> None:
    unsafe = sorted(SWITCHES_INSPECTION_OFF & options.keys())
    if unsafe:
        raise UnsafeOption(f"these options would let traffic pass unexamined: {', '.join(unsafe)}")
