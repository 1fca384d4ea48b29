# SPDX-License-Identifier: Apache-2.0
"""What is refused before there is anything to decide."""

from dataclasses import replace

import pytest

from policies.contracts.decision import Mode
from policies.contracts.request import RequestFacts
from policies.contracts.snapshot import Dialect, LimitPolicy, Route
from policies.evaluation.head import head_code, refused_on_head
from tests.unit.policies.evaluation.test_pipeline import REQUEST, snapshot

ROUTE = Route(
    id="chat",
    policy="routes",
    method="POST",
    path="/v1/chat/completions",
    operation="chat.completions",
    dialect=Dialect.CHAT,
)
LIMIT = LimitPolicy(id="sizes", version="1", mode=Mode.ENFORCE, subjects=("*",), max_body_bytes=10, rate=None)


@pytest.mark.parametrize(
    ("request_", "want"),
    [
        pytest.param(REQUEST, None, id="as it may be"),
        pytest.param(replace(REQUEST, action="embeddings"), "route-not-listed", id="no route is for it"),
        pytest.param(replace(REQUEST, facts=RequestFacts(body_bytes=10)), None, id="of the largest size"),
        pytest.param(replace(REQUEST, facts=RequestFacts(body_bytes=11)), "body-too-large", id="one byte above"),
    ],
)
def test_the_head_is_judged_as_the_proxy_judges_it(request_, want):
    policy = snapshot(routes=(ROUTE,), limits=(LIMIT,))
    assert head_code(request_, policy) == want
    refused = refused_on_head(request_, policy)
    assert ([] if refused is None else [reason.code for reason in refused.reasons]) == ([want] if want else [])
