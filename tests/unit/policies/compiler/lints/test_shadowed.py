# SPDX-License-Identifier: Apache-2.0
"""Rules that another leaves without effect."""

import pytest

from tests.unit.policies.compiler.lints.linting import access, document, found, grant, redaction


@pytest.mark.parametrize(
    ("documents", "want"),
    [
        pytest.param(
            [access(grant("user:x"), grant("*", "*", "*", id="b", effect="deny"))],
            [("shadowed", "some-access", "/spec/grants/0"), ("denies-everything", "some-access", "/spec/grants/1")],
            id="denied-whole",
        ),
        pytest.param(
            [access(grant("user:x"), grant("group:g", id="b", effect="deny"), groups={"g": ["user:x"]})],
            [("shadowed", "some-access", "/spec/grants/0")],
            id="denied-by-its-group",
        ),
        pytest.param(
            [access(grant("user:x", "parrot owl"), grant("*", id="b", effect="deny"))], [], id="denied-in-part"
        ),
        pytest.param(
            [access(grant("user:x")), access(grant("*", id="b", effect="deny"), policy="other")],
            [("shadowed", "some-access", "/spec/grants/0")],
            id="denied-by-another-policy",
        ),
        pytest.param(
            [access(grant("user:x")), access(grant("*", id="b", effect="deny"), policy="other", mode="warn")],
            [],
            id="denied-by-one-that-only-warns",
        ),
        pytest.param(
            [access(grant("user:x"), grant("*", id="b", effect="deny", expires="2027-01-01T00:00:00Z"))],
            [],
            id="denied-for-a-time",
        ),
        pytest.param(
            [access(grant("*", "*"), grant("user:x", id="b"))],
            [("shadowed", "some-access", "/spec/grants/1")],
            id="allowed-before",
        ),
        pytest.param(
            [access(grant("*", "*", expires="2027-01-01T00:00:00Z"), grant("user:x", id="b"))],
            [],
            id="allowed-before-for-a-time",
        ),
        pytest.param([access(grant("user:x"), grant("*", "*", id="b"))], [], id="allowed-after"),
        pytest.param(
            [redaction({}, {"id": "b", "action": "block"})],
            [
                ("shadowed", "some-redaction", "/spec/rules/0"),
                ("overlapping", "some-redaction", "/spec/rules/1/detectors"),
            ],
            id="a-redaction-rule-under-a-severer",
        ),
        pytest.param(
            [redaction({}, {"id": "b", "subjects": ["user:x"]})],
            [("shadowed", "some-redaction", "/spec/rules/1")],
            id="a-redaction-rule-said-twice",
        ),
        pytest.param(
            [redaction({}, {"id": "b", "action": "block", "subjects": ["user:x"]})],
            [("overlapping", "some-redaction", "/spec/rules/1/detectors")],
            id="a-narrower-severer-rule",
        ),
        pytest.param(
            [
                document(
                    "tools",
                    rules=[
                        {"id": "a", "effect": "allow", "subjects": ["user:x"], "tools": ["docs_read"]},
                        {"id": "b", "effect": "deny", "subjects": ["*"], "tools": ["docs_*"]},
                    ],
                )
            ],
            [("shadowed", "some-tools", "/spec/rules/0")],
            id="a-tools-rule",
        ),
        pytest.param(
            [
                document(
                    "tools",
                    rules=[
                        {"id": "a", "effect": "allow", "subjects": ["user:x"], "tools": ["docs_read"]},
                        {
                            "id": "b",
                            "effect": "deny",
                            "subjects": ["*"],
                            "tools": ["docs_*"],
                            "patterns": {"path": "/etc/.*"},
                        },
                    ],
                )
            ],
            [],
            id="a-tools-rule-denied-for-some-arguments",
        ),
    ],
)
def test_what_is_told(documents, want):
    assert found(*documents) == want
