# SPDX-License-Identifier: Apache-2.0
"""An answer that is not streamed: parsed strictly, redacted, and written again from what was examined."""

from dataclasses import dataclass
from typing import Final

from policies.contracts.snapshot import Dialect
from policies.redaction.engine import ActiveRules, AnswerBlocked, FindingCount
from policies.redaction.findings import Tally
from proxy_addons.core.answer_walk import AnswerWalk
from proxy_addons.core.exchange import Coverage
from proxy_addons.core.strict_json import NotStrictJson, canonical, parse_object

# The member that makes an object an answer of its dialect: a list of objects.
_LIST_OF: Final = {Dialect.CHAT: "choices", Dialect.COMPLETIONS: "choices", Dialect.MODELS: "data"}


class AnswerInvalid(Exception):
    """An answer that cannot be examined. `problem` is kebab-case and tells nothing of the content."""

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem


@dataclass(frozen=True, slots=True, kw_only=True)
class RedactedAnswer:
    """What may leave of an answer, and what was found in it.

    Where a rule blocks the answer, `blocked` says which, and `body` is empty.
    """

    body: bytes
    findings: tuple[FindingCount, ...]
    coverage: Coverage
    blocked: AnswerBlocked | None = None


def redact_answer(body: bytes, *, dialect: Dialect, rules: ActiveRules, max_bytes: int) -> RedactedAnswer:
    """Return what may leave of the answer `body`.

    Raises AnswerInvalid for what is not one strict JSON object of `dialect`.
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
