# SPDX-License-Identifier: Apache-2.0
import pytest

from policies.contracts.snapshot import PolicySnapshot
from policies.contracts.upstreams import UpstreamRule, UpstreamsPolicy
from policies.evaluation.upstreams import upstream_for, upstreams_named

RULES = (
    UpstreamRule(name="vectors", operations=("embeddings",), models=()),
    UpstreamRule(name="gpu", operations=("chat.completions",), models=("owl",)),
    UpstreamRule(name="big", operations=(), models=("owl", "eagle")),
    UpstreamRule(name="lists", operations=("models.list",), models=()),
)
SNAPSHOT = PolicySnapshot(
    tenant="t", environment="e", groups={}, upstreams=(UpstreamsPolicy(id="p", version="1", upstreams=RULES),)
)


@pytest.mark.parametrize(
    ("operation", "model", "want"),
    [
        pytest.param("embeddings", "owl", "vectors", id="any-model-of-an-operation"),
        pytest.param("chat.completions", "owl", "gpu", id="both"),
        pytest.param("completions", "owl", "big", id="any-operation-of-a-model"),
        pytest.param("chat.completions", "parrot", "default", id="nothing-takes-it"),
        pytest.param("models.list", None, "lists", id="no-model"),
        pytest.param("health", None, "default", id="a-rule-with-models-takes-none-without"),
    ],
)
def test_the_first_that_takes_a_request_counts(operation, model, want):
    assert upstream_for(SNAPSHOT, operation=operation, model=model) == want


def test_the_names_are_told():
    assert upstreams_named(SNAPSHOT) == {"vectors", "gpu", "big", "lists"}
