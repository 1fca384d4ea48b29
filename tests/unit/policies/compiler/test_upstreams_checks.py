# SPDX-License-Identifier: Apache-2.0
import pytest

from policies.compiler.upstreams_checks import check_upstreams
from policies.document.loader import load_documents

DOCUMENT = """\
kind: upstreams
id: %s
version: "1"
spec:
  upstreams:
    - {name: gpu, models: [owl], operations: [chat.completions]}
    - {name: other, %s}
"""


def found(*sources):
    documents = load_documents({f"{number}.yaml": source.encode() for number, source in enumerate(sources)})
    return [(each.code, each.at.file, each.at.pointer) for each in check_upstreams(documents)]


@pytest.mark.parametrize(
    ("entry", "want"),
    [
        pytest.param("models: [eagle], operations: [chat.completions]", [], id="another-model"),
        pytest.param("models: [owl]", [], id="the-rest-of-a-model"),
        pytest.param(
            "models: [eagle, owl], operations: [chat.completions]",
            [("upstream-shadowed", "0.yaml", "/spec/upstreams/1")],
            id="the-same-pair",
        ),
    ],
)
def test_what_an_earlier_entry_takes_is_told(entry, want):
    assert found(DOCUMENT % ("a", entry)) == want


def test_one_document_has_them_all():
    good = "models: [eagle]"
    assert found(DOCUMENT % ("a", good), DOCUMENT % ("b", good)) == [("duplicate-upstreams", "1.yaml", "/kind")]
