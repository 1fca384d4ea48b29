# SPDX-License-Identifier: Apache-2.0
import pytest

from policies.contracts.errors import PolicyRejected
from policies.document.loader import load_documents

GOOD = """\
kind: upstreams
id: upstreams
version: "1"
spec:
  upstreams:
    - {name: gpu, models: [owl]}
    - {name: vectors, operations: [embeddings]}
"""


def problems(source):
    with pytest.raises(PolicyRejected) as caught:
        load_documents({"a.yaml": source.encode()})
    return [(each.code, each.at.line) for each in caught.value.diagnostics]


def test_the_order_is_kept():
    [document] = load_documents({"a.yaml": GOOD.encode()})
    assert [rule.name for rule in document.spec.upstreams] == ["gpu", "vectors"]


@pytest.mark.parametrize(
    ("source", "want"),
    [
        pytest.param(GOOD.replace("name: vectors", "name: gpu"), ("duplicate-id", 7), id="two-of-one-name"),
        pytest.param(GOOD.replace(", models: [owl]", ""), ("member-missing", 6), id="one-that-takes-everything"),
        pytest.param(GOOD.replace("models: [owl]", "models: []"), ("member-missing", 6), id="an-empty-list"),
        pytest.param(
            GOOD.replace("name: gpu", "url: 'https://a.test', name: gpu"), ("unknown-member", 6), id="an-origin"
        ),
        pytest.param(GOOD.replace("spec:", "mode: observe\nspec:"), ("unknown-member", 4), id="a-mode"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(source, want):
    assert problems(source) == [want]
