# SPDX-License-Identifier: Apache-2.0
"""An answer that is not streamed: parsed strictly, redacted, and written again from what was examined."""

import json
from dataclasses import dataclass
from typing import Any, Final

from policies.contracts.snapshot import Dialect
from policies.redaction.engine import ActiveRules, FindingCount
from policies.redaction.findings import Tally
from proxy_addons.core.answer_walk import AnswerWalk
from proxy_addons.core.exchange import Coverage
from proxy_addons.core.strict_json import NotStrictJson, parse_object

# The member that makes an object an answer of its dialect: a list of objects.
_LIST_OF: Final = {Dialect.CHAT: "choices", Dialect.COMPLETIONS: "choices", Dialect.MODELS: "data"}


class AnswerInvalid(Exception):
    """An answer that cannot be examined. `problem` is kebab-case and tells nothing of the content."""

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem


@dataclass(frozen=True, slots=True, kw_only=True)
class RedactedAnswer:
    """`body` is what may leave. `redacted` says whether it differs from what came in more than in white space."""

    body: bytes
    findings: tuple[FindingCount, ...]
    coverage: Coverage
    redacted: bool


def redact_answer(body: bytes, *, dialect: Dialect, rules: ActiveRules, max_bytes: int) -> RedactedAnswer:
    """Return what may leave of the answer `body`.

    Raises AnswerInvalid for what is not one strict JSON object of `dialect`, AnswerBlocked where a rule blocks it.
    """
    if len(body) > max_bytes:
        raise AnswerInvalid("too-large")
    try:
        answer = parse_object(body)
    except NotStrictJson as exc:
        raise AnswerInvalid(exc.problem) from exc
    items = answer.get(_LIST_OF[dialect])
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise AnswerInvalid("not-of-its-dialect")
    dropped = drop_logprobs(items) if rules.enforcing else False
    tally = Tally()
    walk = AnswerWalk(rules, tally)
    redacted = {key: walk.value(value, (key,)) for key, value in answer.items()}
    return RedactedAnswer(
        body=json.dumps(redacted, ensure_ascii=False, separators=(",", ":")).encode(),
        findings=tally.findings,
        coverage=coverage(walk, logprobs_dropped=dropped),
        redacted=redacted != answer,
    )


def drop_logprobs(choices: list[dict[str, Any]]) -> bool:
    """Take the log probabilities out of `choices` and say whether there were any: they spell the text once more."""
    holding = [choice for choice in choices if choice.get("logprobs") is not None]
    for choice in holding:
        choice["logprobs"] = None
    return bool(holding)


def coverage(walk: AnswerWalk, *, logprobs_dropped: bool) -> Coverage:
    not_scanned = (("choices.*.logprobs", "dropped"),) if logprobs_dropped else ()
    return Coverage(scanned=tuple(sorted(walk.scanned)), not_scanned=not_scanned)
