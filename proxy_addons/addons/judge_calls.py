# SPDX-License-Identifier: Apache-2.0
"""Asks policy about tool calls: the one place where an answer waits for a decision."""

import asyncio
from collections.abc import Sequence
from typing import Protocol

from policies.contracts.decision import Reason
from policies.contracts.errors import EvaluationFailed
from policies.contracts.tools import AskedCall, RefusedCall
from policies.evaluation.tool_calls import CallJudge, CallVerdict
from policies.redaction.engine import FindingCount
from proxy_addons.addons.fail_closed import EVALUATION_FAILED
from proxy_addons.core.coverage import Coverage


class JudgedEnforcer(Protocol):
    """A StreamEnforcer whose tool calls wait for verdicts."""

    cut: Reason | None
    done: bool
    refused_calls: tuple[RefusedCall, ...]

    @property
    def findings(self) -> tuple[FindingCount, ...]: ...

    @property
    def coverage(self) -> Coverage: ...

    @property
    def undecided(self) -> tuple[tuple[AskedCall, ...], ...]: ...

    def decided(self, verdicts: Sequence[Sequence[CallVerdict]]) -> bytes: ...

    def feed(self, piece: bytes, /) -> bytes: ...

    def finish(self) -> bytes: ...

    def abort(self, code: str, /) -> bytes: ...

    @property
    def due_ns(self) -> int | None: ...

    def expire(self, now_ns: int, /) -> bytes: ...


async def verdicts_on(
    judge: CallJudge, undecided: Sequence[Sequence[AskedCall]]
) -> tuple[tuple[CallVerdict, ...], ...]:
    """Return the verdicts on the calls of each choice, all asked for at once. Raises EvaluationFailed."""
    if len(undecided) == 1:
        return (await judge.judge(undecided[0]),)
    return tuple(await asyncio.gather(*(judge.judge(calls) for calls in undecided)))


class JudgedStream:
    """A StreamEnforcer that Waits: `enforcer` examines, `judge` decides on the tool calls it holds.

    Where nobody can decide, nothing that waits leaves: the stream is cut as `evaluation-failed`.
    """

    def __init__(self, enforcer: JudgedEnforcer, judge: CallJudge) -> None:
        self.enforcer = enforcer
        self._judge = judge
        self._verdicts: tuple[tuple[CallVerdict, ...], ...] | None = None

    def feed(self, piece: bytes, /) -> bytes:
        return self.enforcer.feed(piece)

    @property
    def cut(self) -> Reason | None:
        return None if self.waits else self.enforcer.cut

    @property
    def waits(self) -> bool:
        return bool(self.enforcer.undecided)

    async def decide(self) -> None:
        try:
            self._verdicts = await verdicts_on(self._judge, self.enforcer.undecided)
        except EvaluationFailed:
            self._verdicts = None

    def decided(self) -> bytes:
        verdicts, self._verdicts = self._verdicts, None
        if verdicts is not None:
            return self.enforcer.decided(verdicts)
        self.enforcer.cut = None  # whatever ended the stream behind the calls: this comes before it
        return self.enforcer.abort(EVALUATION_FAILED)

    def finish(self) -> bytes:
        return self.enforcer.finish()

    @property
    def due_ns(self) -> int | None:
        return self.enforcer.due_ns

    def expire(self, now_ns: int, /) -> bytes:
        return self.enforcer.expire(now_ns)

    def abort(self, code: str, /) -> bytes:
        return self.enforcer.abort(code)
