# SPDX-License-Identifier: Apache-2.0
import pytest

from policies.contracts.upstreams import UpstreamRule, UpstreamsPolicy
from proxy_addons.node.known_upstreams import UpstreamUnknown, check_upstreams
from tests.unit.proxy_addons.harness import snapshot


def test_a_snapshot_that_names_an_upstream_nobody_has_is_refused():
    rules = tuple(UpstreamRule(name=name, operations=(), models=(name,)) for name in ("gpu", "default"))
    named = snapshot(upstreams=(UpstreamsPolicy(id="p", version="1", upstreams=rules),))
    check_upstreams(named, {"gpu": object()})
    with pytest.raises(UpstreamUnknown, match="gpu"):
        check_upstreams(named, {"other": object()})
