# SPDX-License-Identifier: Apache-2.0
"""Why a stream is cut."""

from typing import Final

from policies.contracts.decision import Reason
from policies.redaction.engine import AnswerBlocked

INVALID: Final = Reason(code="upstream-invalid")


class UpstreamFailed(Exception):
    """The upstream sent an error in the stream."""


def reason_of(exc: Exception) -> Reason:
    """Return why a stream is cut."""
    match exc:
        case AnswerBlocked():
            return Reason(code="answer-blocked", policy=exc.policy, rule=exc.rule)
        case UpstreamFailed():
            return Reason(code="upstream-error")
        case _:
            return INVALID
