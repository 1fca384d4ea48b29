# SPDX-License-Identifier: Apache-2.0
"""The answer to a transcription request: JSON of which every string is redacted, as of a chat answer."""

from typing import Any, Final

from policies.contracts.snapshot import FieldClass
from policies.redaction.engine import ActiveRules
from proxy_addons.core.answer_walk import AnswerWalk
from proxy_addons.core.answers import AnswerInvalid, RedactedAnswer, redacted
from proxy_addons.core.restoring import Shared

# A verbose answer has a dozen values for each segment of a few seconds, and one for each token of it.
_MAX_VALUES: Final = 2_000_000


def redact_transcription(
    body: bytes, *, rules: ActiveRules, max_bytes: int, shared: Shared | None = None
) -> RedactedAnswer:
    """Return what may leave of the answer `body`. Raises AnswerInvalid for what is not an answer of this dialect."""
    return redacted(body, _kept, rules=rules, max_bytes=max_bytes, max_values=_MAX_VALUES, shared=shared)


def _kept(answer: dict[str, Any], walk: AnswerWalk) -> Any:
    if not isinstance(answer.get("text"), str):
        raise AnswerInvalid("not-of-its-dialect")
    return walk.value(answer, (), field=FieldClass.TRANSCRIPT)
