# SPDX-License-Identifier: Apache-2.0
"""Limits that limit nothing."""

import pytest

from tests.unit.policies.compiler.lints.linting import document, found


@pytest.mark.parametrize(
    ("documents", "want"),
    [
        pytest.param(
            [document("limits", subjects=["*"], max_body_bytes=67108864)],
            [("limit-above-server", "some-limits", "/spec/max_body_bytes")],
            id="above-the-server",
        ),
        pytest.param([document("limits", subjects=["*"], max_body_bytes=67108863)], [], id="below"),
        pytest.param(
            [
                document("limits", subjects=["user:x"], max_body_bytes=200),
                document("limits", "other", subjects=["*"], max_body_bytes=100),
            ],
            [("limit-never-reached", "some-limits", "/spec/max_body_bytes")],
            id="never-reached",
        ),
        pytest.param(
            [
                document("limits", subjects=["user:x"], max_body_bytes=200),
                document("limits", "other", subjects=["user:y"], max_body_bytes=100),
            ],
            [],
            id="lower-for-others",
        ),
    ],
)
def test_what_is_told(documents, want):
    assert found(*documents) == want
