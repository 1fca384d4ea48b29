# SPDX-License-Identifier: Apache-2.0
"""A bundle that this node cannot enforce is refused with a code of its own, before a worker sees it."""

from types import SimpleNamespace

import pytest

from proxy_addons.clients.control_plane import Fetched
from proxy_addons.node import bundle_activation
from proxy_addons.node.bundle_activation import BundleActivation
from proxy_addons.node.bundle_store import BundleStore
from proxy_addons.node.changed import Changed
from proxy_addons.node.follow import NotAccepted
from proxy_addons.node.guard_socket import GuardUnavailable
from proxy_addons.node.known_upstreams import UpstreamUnknown
from proxy_addons.node.patterns import PatternsNotCompiled


class FakeFleet:
    def __init__(self):
        self.states, self.orders, self.changed = (), [], Changed()

    async def activate(self, order):
        self.orders.append(order)
        return True


@pytest.mark.parametrize(
    ("problem", "code"),
    [
        (UpstreamUnknown("this node has no upstream gpu"), "upstream-unknown"),
        (PatternsNotCompiled("x"), "patterns-not-compiled"),
        (GuardUnavailable("x"), "guard-unavailable"),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)
async def test_what_a_node_lacks_refuses_the_bundle(tmp_path, monkeypatch, problem, code):
    monkeypatch.setattr(bundle_activation, "prepare", lambda *_: None)
    fleet = FakeFleet()

    async def patterns(_snapshot):
        if not isinstance(problem, GuardUnavailable):
            raise problem
        return ""

    async def guard(_serial, _revision):
        raise problem

    activation = BundleActivation(
        BundleStore(tmp_path),
        fleet,
        verify=lambda _content, _newer: SimpleNamespace(serial=3, manifest_revision="3+r", snapshot=None),
        guard=guard,
        patterns=patterns,
    )
    with pytest.raises(NotAccepted):
        await activation.accept(Fetched(etag='"e"', content=b"bundle"))
    assert (activation.rejected.code, activation.rejected.final, fleet.orders) == (code, False, [])
