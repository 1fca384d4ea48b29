# SPDX-License-Identifier: Apache-2.0
"""Every check of a node, by its name, as its settings say."""

from collections.abc import Callable

from proxy_addons.node.bundle_activation import BundleActivation
from proxy_addons.node.environment import EnvironmentFollower
from proxy_addons.node.fleet import Fleet
from proxy_addons.node.messages import ActivateBundle
from proxy_addons.node.posture import Check, Posture
from proxy_addons.node.posture_canaries import check_canaries
from proxy_addons.node.posture_screen import check_screen
from proxy_addons.node.posture_tls import check_tls
from proxy_addons.node.posture_unauthenticated import check_unauthenticated
from proxy_addons.node.posture_upstream import check_upstreams_around
from proxy_addons.settings import NodeSettings


def posture_of(
    settings: NodeSettings, fleet: Fleet, bundles: BundleActivation, environment: EnvironmentFollower
) -> Posture:
    """Return what checks the node of these parts."""

    def enforced() -> ActivateBundle | None:
        told = fleet.bundle  # which may be one that is being tried, and not in force yet
        return told if told is not None and told.serial == bundles.activated_serial else None

    return Posture(
        checks_of(settings, enforced),
        every_s=lambda: None if environment.document is None else environment.document.posture_every_s,
        in_force=lambda: bundles.activated_serial or None,
        changed=fleet.changed.notify,
    )


def checks_of(settings: NodeSettings, bundle: Callable[[], ActivateBundle | None]) -> dict[str, Check]:
    """Return the checks; `bundle()` is what workers enforce, None while that is not known."""
    host, port = _own(settings.proxy_host), settings.proxy_port
    name = min(settings.proxy_hosts, default=f"[{host}]:{port}" if ":" in host else f"{host}:{port}")
    urls = [settings.upstream.url, *(each.url for each in settings.upstreams.values())]
    has_tls = settings.proxy_tls is not None
    return {
        "upstream-reachable-around": lambda: check_upstreams_around(urls),
        "unauthenticated-passes": lambda: check_unauthenticated(host, port, name=name, tls=has_tls),
        "tls": lambda: check_tls(host, port, expected=has_tls),
        "canaries": lambda: check_canaries(bundle()),
        "screen": lambda: check_screen(settings.screen, bundle()),
    }


def _own(host: str) -> str:
    """Return where the node itself reaches what listens on `host`: all addresses are none to connect to."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(host, host)  # noqa: S104  # it is looked up
