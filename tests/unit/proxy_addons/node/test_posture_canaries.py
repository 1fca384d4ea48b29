# SPDX-License-Identifier: Apache-2.0
import sys

import pytest

from proxy_addons.node.messages import ActivateBundle
from proxy_addons.node.posture import Found, Outcome
from proxy_addons.node.posture_canaries import EXIT_FAILED, EXIT_NONE, check_canaries

BUNDLE = ActivateBundle(serial=5, path="bundle.tar.gz", guard_socket="", patterns="patterns")


def ends_with(status):
    return (sys.executable, "-c", f"import sys; sys.exit({status})")


@pytest.mark.parametrize(
    ("status", "want"),
    [
        (0, Found(Outcome.PASSED, "as-expected")),
        (EXIT_FAILED, Found(Outcome.FAILED, "canary-failed")),
        (EXIT_NONE, Found(Outcome.SKIPPED, "no-canaries")),
        (1, Found(Outcome.SKIPPED, "not-checked")),
    ],
)
async def test_only_canaries_that_differ_fail(status, want):
    assert await check_canaries(BUNDLE, program=ends_with(status)) == want


async def test_without_a_policy_in_force_nothing_is_tried():
    assert await check_canaries(None) == Found(Outcome.SKIPPED, "no-policy")
