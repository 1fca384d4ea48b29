# SPDX-License-Identifier: Apache-2.0
"""What reaches further than it says."""

import pytest

from tests.unit.policies.compiler.lints.linting import access, document, found, grant


@pytest.mark.parametrize(
    ("documents", "want"),
    [
        pytest.param(
            [access(grant("group:g *"), groups={"g": ["user:x"]})],
            [("wider-than-its-group", "some-access", "/spec/grants/0/subjects")],
            id="everybody-beside-a-group",
        ),
        pytest.param(
            [access(grant("*", "*", "*"))], [("allows-everything", "some-access", "/spec/grants/0")], id="everything"
        ),
        pytest.param([access(grant("*", "*"))], [], id="every-model-of-one-operation"),
        pytest.param(
            [document("guard", module="package gatehouse.guard.some_guard\n\nallow := true\n")],
            [("allows-everything", "some-guard", "/spec/module")],
            id="a-guard-that-allows-all",
        ),
        pytest.param(
            [document("guard", module="package gatehouse.guard.some_guard\n\ndefault allow := true\n")],
            [("allows-everything", "some-guard", "/spec/module")],
            id="a-guard-that-allows-by-default",
        ),
        pytest.param(
            [document("guard", module="package gatehouse.guard.some_guard\n\nallow if input.request.n == 1\n")],
            [],
            id="a-guard-with-a-condition",
        ),
        pytest.param(
            [
                document(
                    "guard", reasons={"no": "No."}, module='package gatehouse.guard.some_guard\n\ndeny contains "no"\n'
                )
            ],
            [("denies-everything", "some-guard", "/spec/module")],
            id="a-guard-that-denies-all",
        ),
    ],
)
def test_what_is_told(documents, want):
    assert found(*documents) == want
