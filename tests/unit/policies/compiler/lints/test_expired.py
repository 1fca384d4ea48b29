# SPDX-License-Identifier: Apache-2.0
"""Grants whose time is over."""

import pytest

from tests.unit.policies.compiler.lints.linting import access, found, grant


@pytest.mark.parametrize(
    ("documents", "want"),
    [
        pytest.param(
            [access(grant("user:x", expires="2026-11-20T12:00:00Z"))],
            [("expired", "some-access", "/spec/grants/0/expires")],
            id="over",
        ),
        pytest.param([access(grant("user:x", expires="2026-11-20T12:00:01Z"))], [], id="not-yet"),
    ],
)
def test_what_is_told(documents, want):
    assert found(*documents) == want
