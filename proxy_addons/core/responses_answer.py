# SPDX-License-Identifier: Apache-2.0
"""The answer to a responses request that is not streamed: every item examined, every string redacted."""

from typing import Any

from policies.redaction.engine import ActiveRules
from proxy_addons.core.answer_walk import AnswerWalk
from proxy_addons.core.answers import AnswerInvalid, RedactedAnswer, redacted
from proxy_addons.core.responses_calls import HeldResponse
from proxy_addons.core.responses_items import kind_of, redacted_item, without_respelling
from proxy_addons.core.restoring import Shared
from proxy_addons.core.sse_tree import NotExaminable


def redact_response(
    body: bytes,
    *,
    rules: ActiveRules,
    max_bytes: int,
    shared: Shared | None = None,
    judged: bool = False,
    strict: bool = False,
) -> RedactedAnswer:
    """Return what may leave of the answer `body`. Raises AnswerInvalid for what is not an answer of this dialect.

    `judged`: policy decides on its function calls; `strict`: and what is decided may change the answer.
    """
    held_by = HeldResponse.of if judged else None
    return redacted(body, _kept, rules=rules, max_bytes=max_bytes, shared=shared, held_by=held_by, strict=strict)


def _kept(answer: dict[str, Any], walk: AnswerWalk) -> Any:
    items = answer.get("output")
    if answer.get("object") != "response" or not isinstance(items, list):
        raise AnswerInvalid("not-of-its-dialect")
    if walk.enforcing:
        try:
            for item in items:
                without_respelling(item, kind_of(item), walk)
        except NotExaminable:
            raise AnswerInvalid("item-not-examinable") from None
    beside = {name: value for name, value in answer.items() if name != "output"}
    return {**walk.value(beside, ()), "output": [redacted_item(item, walk) for item in items]}
