# SPDX-License-Identifier: Apache-2.0
"""Rules that contradict each other."""

import pytest

from tests.unit.policies.compiler.lints.linting import access, found, grant, redaction


@pytest.mark.parametrize(
    ("documents", "want"),
    [
        pytest.param(
            [access(grant("user:x", "parrot owl"), grant("user:x", id="b", effect="deny"))],
            [("overlapping", "some-access", "/spec/grants/1")],
            id="denied-in-the-same-words",
        ),
        pytest.param(
            [access(grant("group:g", "*"), grant("*", "owl", id="b", effect="deny"), groups={"g": ["user:x"]})],
            [],
            id="an-exception",
        ),
        pytest.param(
            [redaction({}, {"id": "b", "action": "hash", "detectors": ["email", "iban"]})],
            [("overlapping", "some-redaction", "/spec/rules/1/detectors")],
            id="two-actions",
        ),
        pytest.param(
            [redaction({}, {"id": "b", "action": "hash", "directions": ["request"]})], [], id="of-other-directions"
        ),
    ],
)
def test_what_is_told(documents, want):
    assert found(*documents) == want
