# SPDX-License-Identifier: Apache-2.0
import pytest

from proxy_addons.node.posture import Found, Outcome
from proxy_addons.node.posture_unauthenticated import check_unauthenticated
from tests.posture_servers import answer, saying


@pytest.mark.parametrize(
    ("said", "want"),
    [
        (answer(401), Found(Outcome.PASSED, "refused")),
        (answer(200), Found(Outcome.FAILED, "passes-without-credentials")),
        (answer(502), Found(Outcome.FAILED, "passes-without-credentials")),
        (answer(503), Found(Outcome.SKIPPED, "not-serving")),
        (b"", Found(Outcome.SKIPPED, "not-serving")),
    ],
)
async def test_only_a_refusal_passes(said, want):
    async with saying(said) as (port, asked):
        assert await check_unauthenticated("127.0.0.1", port, name="gateway.example", tls=False) == want
    assert b"Host: gateway.example\r\n" in asked[0]
    assert b"Authorization" not in asked[0]
