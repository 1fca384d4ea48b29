# SPDX-License-Identifier: Apache-2.0
"""Allow-lists with nothing in them."""

import pytest

from tests.unit.policies.compiler.lints.linting import access, document, found, grant


@pytest.mark.parametrize(
    ("documents", "want"),
    [
        pytest.param(
            [access(grant("user:x", effect="deny"))],
            [("nothing-allowed", "some-access", "/spec/grants")],
            id="only-denials",
        ),
        pytest.param(
            [access(grant("user:x", "owl", effect="deny")), access(grant("user:x"), policy="other")],
            [],
            id="an-allow-elsewhere",
        ),
        pytest.param([document("tools", rules=[])], [("nothing-allowed", "some-tools", "/spec/rules")], id="no-tool"),
        pytest.param([document("tools", rules=[], mode="observe")], [], id="no-tool-that-only-observes"),
    ],
)
def test_what_is_told(documents, want):
    assert found(*documents) == want
