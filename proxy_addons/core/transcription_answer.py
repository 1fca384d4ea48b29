# SPDX-License-Identifier: Apache-2.0
"""The answer to a transcription request: JSON of which every string is redacted, as of a chat answer."""

from typing import Final

from policies.redaction.engine import ActiveRules, AnswerBlocked
from policies.redaction.findings import Tally
from proxy_addons.core.answer_walk import AnswerWalk
from proxy_addons.core.answers import AnswerInvalid, RedactedAnswer
from proxy_addons.core.strict_json import NotStrictJson, canonical, parse_object

# A verbose answer has a dozen values for each segment of a few seconds, and one for each token of it.
_MAX_VALUES: Final = 2_000_000


def redact_transcription(body: bytes, *, rules: ActiveRules, max_bytes: int) -> RedactedAnswer:
    """Return what may leave of the answer `body`. Raises AnswerInvalid for what is not an answer of this dialect."""
    if len(body) > max_bytes:
        raise AnswerInvalid("too-large")
    try:
        answer = parse_object(body, max_values=_MAX_VALUES)
    except NotStrictJson as exc:
        raise AnswerInvalid(exc.problem) from exc
    if not isinstance(answer.get("text"), str):
        raise AnswerInvalid("not-of-its-dialect")
    tally = Tally()
    walk = AnswerWalk(rules, tally)
    blocked, left = None, b""
    try:
        left = canonical(walk.value(answer, ()))
    except AnswerBlocked as exc:
        blocked = exc
    except ValueError as exc:
        raise AnswerInvalid("too-deep") from exc
    return RedactedAnswer(body=left, findings=tally.findings, coverage=walk.coverage, blocked=blocked)
