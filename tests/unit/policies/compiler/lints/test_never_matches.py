# SPDX-License-Identifier: Apache-2.0
"""Rules that no request can match."""

import pytest

from tests.unit.policies.compiler.lints.linting import access, document, found, grant, redaction


def prompts(**selectors):
    rule = {"id": "a", "insert": "one", **selectors}
    return document("prompts", prompts=[{"name": "one", "text": "You help."}], rules=[rule])


@pytest.mark.parametrize(
    ("documents", "want"),
    [
        pytest.param(
            [access(grant("user:x", operations="audio"))],
            [("never-matches", "some-access", "/spec/grants/0")],
            id="an-operation-without-route",
        ),
        pytest.param([access(grant("user:x", operations="audio chat.completions"))], [], id="one-of-two-has-a-route"),
        pytest.param([access(grant("user:x", operations="*"))], [], id="every-operation"),
        pytest.param(
            [access(grant("user:x", operations="models.list"))],
            [("never-matches", "some-access", "/spec/grants/0")],
            id="models-for-an-operation-without",
        ),
        pytest.param(
            [access(grant("user:x", models=""))],
            [("never-matches", "some-access", "/spec/grants/0")],
            id="no-models-for-an-operation-with",
        ),
        pytest.param(
            [access(grant("user:x", models="", operations="models.list"))], [], id="no-models-for-an-operation-without"
        ),
        pytest.param(
            [redaction({"operations": ["audio"]})],
            [("never-matches", "some-redaction", "/spec/rules/0")],
            id="a-redaction-rule",
        ),
        pytest.param(
            [redaction({"models": ["a"]}, models=["b"])],
            [("never-matches", "some-redaction", "/spec/rules/0")],
            id="a-redaction-rule-apart-from-its-policy",
        ),
        pytest.param([redaction({"models": ["a"]}, models=["a", "b"])], [], id="a-redaction-rule-within-its-policy"),
        pytest.param(
            [redaction({}, operations=["audio"])],
            [("never-matches", "some-redaction", "/spec/operations")],
            id="a-redaction-policy",
        ),
        pytest.param(
            [
                document(
                    "tools",
                    rules=[{"id": "a", "effect": "allow", "subjects": ["*"], "tools": ["x"], "operations": ["audio"]}],
                )
            ],
            [("never-matches", "some-tools", "/spec/rules/0")],
            id="a-tools-rule",
        ),
        pytest.param(
            [document("screening", rules=[{"id": "a", "effect": "deny", "phrases": ["x y"], "operations": ["audio"]}])],
            [("never-matches", "some-screening", "/spec/rules/0")],
            id="a-screening-rule",
        ),
        pytest.param(
            [prompts(operations=["audio"])],
            [("never-matches", "some-prompts", "/spec/rules/0")],
            id="a-prompts-rule",
        ),
        pytest.param(
            [document("upstreams", upstreams=[{"name": "gpu", "operations": ["audio"], "models": ["owl"]}])],
            [("never-matches", "some-upstreams", "/spec/upstreams/0")],
            id="an-upstream-for-an-operation-without-route",
        ),
        pytest.param(
            [document("upstreams", upstreams=[{"name": "gpu", "operations": ["models.list"], "models": ["owl"]}])],
            [("never-matches", "some-upstreams", "/spec/upstreams/0")],
            id="an-upstream-of-models-for-an-operation-without",
        ),
        pytest.param(
            [document("upstreams", upstreams=[{"name": "gpu", "operations": ["models.list"]}])],
            [],
            id="an-upstream-for-an-operation-without-models",
        ),
        pytest.param(
            [document("logging", records="strict", operations=["audio"])],
            [("never-matches", "some-logging", "/spec/operations")],
            id="a-logging-policy",
        ),
    ],
)
def test_what_is_told(documents, want):
    assert found(*documents) == want


def test_without_routes_nothing_is_known_of_operations():
    assert found(access(grant("user:x", operations="audio")), routes=False) == []
