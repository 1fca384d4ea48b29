# SPDX-License-Identifier: Apache-2.0
"""An answer that is not streamed: parsed strictly, redacted, and written again from what was examined."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from policies.contracts.snapshot import Dialect
from policies.contracts.tools import AskedCall, RefusedCall
from policies.evaluation.tool_calls import CallVerdict
from policies.redaction.engine import ActiveRules, AnswerBlocked, FindingCount
from policies.redaction.findings import Tally
from proxy_addons.core.answer_walk import AnswerWalk
from proxy_addons.core.coverage import Coverage
from proxy_addons.core.restoring import Shared
from proxy_addons.core.strict_json import MAX_VALUES, NotStrictJson, canonical, parse_object
from proxy_addons.core.tool_decisions import CallsInvalid, HeldAnswer, without_calls_elsewhere

# The member that makes an object an answer of its dialect: a list of objects.
_LIST_OF: Final = {Dialect.CHAT: "choices", Dialect.COMPLETIONS: "choices", Dialect.MODELS: "data"}


class AnswerInvalid(Exception):
    """An answer that cannot be examined. `problem` is kebab-case and tells nothing of the content."""

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem


class Held(Protocol):
    """An answer of which no tool call was decided yet. `told` is what was refused, once it was."""

    told: tuple[RefusedCall, ...]

    @property
    def undecided(self) -> tuple[tuple[AskedCall, ...], ...]: ...

    def decided(self, verdicts: Sequence[Sequence[CallVerdict]]) -> bytes | RefusedCall:
        """Return what may leave by `verdicts`, one list for each of `undecided`, or the call that ends it all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RedactedAnswer:
    """What may leave of an answer, and what was found in it.

    Where a rule blocks the answer, `blocked` says which, and `body` is empty. Where policy has to decide on tool calls,
    `held` is the answer, of which nothing may leave before.
    """

    body: bytes
    findings: tuple[FindingCount, ...]
    coverage: Coverage
    blocked: AnswerBlocked | None = None
    held: Held | None = None


def redact_answer(
    body: bytes,
    *,
    dialect: Dialect,
    rules: ActiveRules,
    max_bytes: int,
    shared: Shared | None = None,
    judged: bool = False,
    strict: bool = False,
) -> RedactedAnswer:
    """Return what may leave of the answer `body`.

    `judged`: policy decides on its tool calls; `strict`: and what is decided may change the answer. Raises
    AnswerInvalid for what is not one strict JSON object of `dialect`.
    """

    def kept(answer: dict[str, Any], walk: AnswerWalk) -> Any:
        items = answer.get(_LIST_OF[dialect])
        if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
            raise AnswerInvalid("not-of-its-dialect")
        value = walk.value(answer, ())
        return without_calls_elsewhere(value) if strict and dialect is Dialect.CHAT else value

    held_by = HeldAnswer.of if judged and dialect is Dialect.CHAT else None
    return redacted(body, kept, rules=rules, max_bytes=max_bytes, shared=shared, held_by=held_by, strict=strict)


def redacted(
    body: bytes,
    kept: Callable[[dict[str, Any], AnswerWalk], Any],
    *,
    rules: ActiveRules,
    max_bytes: int,
    max_values: int = MAX_VALUES,
    shared: Shared | None = None,
    held_by: Callable[[dict[str, Any]], Held | None] | None = None,
    strict: bool = False,
) -> RedactedAnswer:
    """Return what may leave of the answer `body`: what `kept` keeps of it, each text redacted by the walk.

    Pseudonyms of the request are put back last, into what may leave: the values are the client's own.

    `kept` knows the dialect and raises AnswerInvalid for what is not of it; so does this for what is not strict JSON.
    """
    if len(body) > max_bytes:
        raise AnswerInvalid("too-large")
    try:
        answer = parse_object(body, max_values=max_values)
    except NotStrictJson as exc:
        raise AnswerInvalid(exc.problem) from exc
    tally, restoring = shared or Shared(Tally())
    walk = AnswerWalk(rules, tally, strict=strict)
    blocked, held, left = None, None, b""
    try:
        value = kept(answer, walk)
        value = value if restoring is None else restoring.value(value)
        held = None if held_by is None else held_by(value)
        left = canonical(value) if held is None else b""
    except AnswerBlocked as exc:
        blocked = exc
    except CallsInvalid as exc:
        raise AnswerInvalid("not-of-its-dialect") from exc
    except ValueError as exc:
        raise AnswerInvalid("too-deep") from exc
    return RedactedAnswer(body=left, findings=tally.findings, coverage=walk.coverage, blocked=blocked, held=held)
