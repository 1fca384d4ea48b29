# SPDX-License-Identifier: Apache-2.0
import pytest

from policies.contracts.members import plain
from policies.contracts.upstreams import UpstreamRule, UpstreamsPolicy

POLICY = UpstreamsPolicy(
    id="p", version="1", upstreams=(UpstreamRule(name="gpu", operations=("chat.completions",), models=("parrot", "*")),)
)


def test_is_read_back_as_it_was_written():
    assert UpstreamsPolicy.from_json(plain(POLICY)) == POLICY


def test_where_an_upstream_is_cannot_be_said():
    raw = plain(POLICY)
    raw["upstreams"] = [{**raw["upstreams"][0], "url": "https://elsewhere.example"}]
    with pytest.raises(ValueError, match="has members"):
        UpstreamsPolicy.from_json(raw)
