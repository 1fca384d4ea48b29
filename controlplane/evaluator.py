# SPDX-License-Identifier: Apache-2.0
"""One snapshot with its engines running, for as long as somebody asks it.

Theory: what decides here is what decides in the proxy: the same pipeline over the same snapshot, access in process and
guards in an OPA of their own, with a memory for what cannot come out otherwise. An OPA that died is started again, and
the question that noticed is asked once more.

Warning: everything of an evaluator belongs to the event loop that it was opened on.
"""

import asyncio
import time
from collections.abc import Mapping
from contextlib import AsyncExitStack
from typing import Any, Final, Self

import structlog

from controlplane.services.rego_engines import OpaNotStarted, RegoEngines
from policies.contracts.decision import Decision, Effect, Reason
from policies.contracts.request import EvaluationRequest
from policies.contracts.snapshot import PolicySnapshot
from policies.engines.casbin import CasbinAccess
from policies.engines.combine import EVALUATION_FAILED
from policies.engines.groups import groups_of
from policies.engines.guard_input import guard_input
from policies.engines.opa import OpaGuard
from policies.engines.ports import GuardEngine
from policies.engines.reused_guard import reusing
from policies.evaluation.pipeline import TakeToken, decide

# OPA answers within a millisecond; who asks over a network waits longer than a proxy's worker may.
_DEADLINE_S: Final = 1.0
# An OPA that does not start is not tried again for each question.
_RETRY_AFTER_S: Final = 1.0

_log = structlog.get_logger("gatehouse.decisions")


class Evaluator:
    """Decides by one snapshot. `texts` are what its guards tell people, by reason code."""

    def __init__(self, snapshot: PolicySnapshot, *, serial: int, rego: RegoEngines, access: CasbinAccess) -> None:
        self.snapshot = snapshot
        self.serial = serial
        self.texts: Mapping[str, str] = {
            code: text for guard in snapshot.guards for code, text in guard.reasons.items()
        }
        self._rego = rego
        self._access = access
        self._engine: GuardEngine | None = None
        self._guard: GuardEngine | None = None
        self._running = AsyncExitStack()
        self._starting = asyncio.Lock()
        self._failed_at = -_RETRY_AFTER_S
        self._users = 0
        self._unused = asyncio.Event()
        self._retired = False

    @classmethod
    async def open(cls, snapshot: PolicySnapshot, *, serial: int, rego: RegoEngines) -> Self:
        """Return the evaluator of `snapshot`, its engines running. Raises OpaNotStarted or RegoRefused."""
        # Off the loop, on which others are being answered: an access policy of 100,000 grants takes a second.
        access = await asyncio.to_thread(CasbinAccess, snapshot)
        evaluator = cls(snapshot, serial=serial, rego=rego, access=access)
        await evaluator._start()
        return evaluator

    async def decide(self, asked: EvaluationRequest) -> Decision:
        """Return the decision on `asked`. Whatever goes wrong is a refusal."""
        engine = self._engine
        decision = await self._ask(asked)
        if _has_failed(decision) and _is_gone(engine) and await self._restart(engine):
            decision = await self._ask(asked)
        return decision

    def input_of(self, asked: EvaluationRequest) -> dict[str, Any]:
        """Return what guards see of `asked`."""
        groups = groups_of(self.snapshot, asked.subject)
        return guard_input(asked, groups=groups, access=self._access.evaluate(asked))

    @property
    def is_retired(self) -> bool:
        return self._retired

    def __enter__(self) -> Self:
        """Keep the engines running until the end of the block."""
        self._users += 1
        return self

    def __exit__(self, *_exc: object) -> None:
        self._users -= 1
        if not self._users:
            self._unused.set()

    async def retire(self) -> None:
        """End the engines once nobody uses them any more. Nobody MUST begin to use them after this was called."""
        self._retired = True
        if self._users:
            self._unused.clear()
            await self._unused.wait()
        async with self._starting:
            await self._running.aclose()

    async def _ask(self, asked: EvaluationRequest) -> Decision:
        if self._guard is None:
            return _refused(self.snapshot)
        return await decide(
            asked, snapshot=self.snapshot, access=self._access, guard=self._guard, take_token=_never_counted
        )

    async def _start(self) -> None:
        stack = AsyncExitStack()
        guard = self._rego.guard(self.snapshot, serial=self.serial, deadline_s=_DEADLINE_S)
        engine = await stack.enter_async_context(guard)
        self._running, self._engine = stack, engine
        is_there = engine.is_connected if isinstance(engine, OpaGuard) else None
        self._guard = reusing(engine, self.snapshot, **({} if is_there is None else {"is_there": is_there}))

    async def _restart(self, gone: GuardEngine | None) -> bool:
        """Start another engine in place of `gone`, unless somebody did. Return whether there is another."""
        async with self._starting:
            if self._engine is not gone:
                return True
            if self._retired or time.monotonic() - self._failed_at < _RETRY_AFTER_S:
                return False
            _log.warning("decision_engine_lost", environment=self.snapshot.environment, serial=self.serial)
            try:
                await self._running.aclose()
                await self._start()
            except (OpaNotStarted, OSError) as exc:
                self._failed_at = time.monotonic()
                _log.error("decision_engine_not_started", serial=self.serial, error=type(exc).__name__)
                return False
            return True


def _has_failed(decision: Decision) -> bool:
    return any(reason.code == EVALUATION_FAILED for reason in decision.reasons)


def _is_gone(engine: GuardEngine | None) -> bool:
    """Return whether it is an OPA to which no connection is left."""
    return isinstance(engine, OpaGuard) and not engine.is_connected()


def _refused(snapshot: PolicySnapshot) -> Decision:
    reasons = (Reason(code=EVALUATION_FAILED),)
    return Decision(effect=Effect.DENY, reasons=reasons, obligations=(), revision=snapshot.revision)


async def _never_counted(_token: TakeToken) -> float:
    """Say that there was a token: rates are counted where requests are forwarded, and a question forwards none."""
    return 0.0
