# SPDX-License-Identifier: Apache-2.0
"""What is for members of empty groups."""

import pytest

from tests.unit.policies.compiler.lints.linting import access, document, found, grant, redaction


@pytest.mark.parametrize(
    ("documents", "want"),
    [
        pytest.param(
            [access(grant("group:none"), groups={"none": [], "some": ["user:x"]})],
            [("nobody-has-it", "some-access", "/spec/grants/0/subjects")],
            id="a-grant",
        ),
        pytest.param(
            [access(grant("group:none group:some"), groups={"none": [], "some": ["user:x"]})],
            [],
            id="a-grant-that-somebody-has",
        ),
        pytest.param(
            [
                access(grant("group:some"), groups={"none": [], "some": ["user:x"]}),
                document("limits", subjects=["group:none"], max_body_bytes=1),
            ],
            [("nobody-has-it", "some-limits", "/spec/subjects")],
            id="a-limit",
        ),
        pytest.param(
            [
                access(grant("group:some"), groups={"none": [], "some": ["user:x"]}),
                redaction({"subjects": ["group:none"]}),
            ],
            [("nobody-has-it", "some-redaction", "/spec/rules/0/subjects")],
            id="a-rule",
        ),
        pytest.param(
            [
                access(grant("group:some"), groups={"none": [], "some": ["user:x"]}),
                document(
                    "screening", rules=[{"id": "a", "effect": "deny", "phrases": ["x y z"], "subjects": ["group:none"]}]
                ),
            ],
            [("nobody-has-it", "some-screening", "/spec/rules/0/subjects")],
            id="a-screening-rule",
        ),
    ],
)
def test_what_is_told(documents, want):
    assert found(*documents) == want
