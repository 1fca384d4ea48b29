# SPDX-License-Identifier: Apache-2.0
import pytest

from policies.contracts.decision import Reason
from policies.redaction.findings import AnswerBlocked
from proxy_addons.core.sse_tree import NotExaminable
from proxy_addons.core.why_cut import UpstreamFailed, reason_of


@pytest.mark.parametrize(
    ("exc", "reason"),
    [
        (AnswerBlocked(policy="p", rule="r", detector="d"), Reason(code="answer-blocked", policy="p", rule="r")),
        (UpstreamFailed(), Reason(code="upstream-error")),
        (NotExaminable(), Reason(code="upstream-invalid")),
    ],
)
def test_each_failure_has_its_code(exc, reason):
    assert reason_of(exc) == reason
