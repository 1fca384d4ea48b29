# SPDX-License-Identifier: Apache-2.0
import pytest

from policies.contracts.upstreams import UpstreamRule, UpstreamsPolicy
from tests.unit.proxy_addons.harness import Harness, active_policy, chat, key_ring, plain_answer

RULES = (UpstreamRule(name="gpu", operations=(), models=("parrot-restricted",)),)
UPSTREAMS = (UpstreamsPolicy(id="u", version="1", upstreams=RULES),)


@pytest.mark.parametrize(("model", "want"), [("parrot", None), ("parrot-restricted", "gpu")])
async def test_the_upstream_of_a_request_is_told_the_layer_and_recorded(model, want):
    under_test = Harness(policy=active_policy(upstreams=UPSTREAMS), keys=key_ring())
    told = await under_test.send(chat(model=model), upstream=plain_answer("fine"))
    assert (told.status, told.exchange.upstream) == (200, want)
    assert under_test.sink.envelopes[0].get("upstream") == want
