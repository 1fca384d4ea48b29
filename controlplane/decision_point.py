# SPDX-License-Identifier: Apache-2.0
"""The decision point of the control plane: keeps what is in force running, decides, and has it on record first.

Theory: a thread with an event loop of its own, begun by the first question, so that deciding waits for nobody else's
work and nobody for it. All questions of a request are decided by one snapshot.

Rule: nothing is told that is not in the log.
"""

import asyncio
import concurrent.futures
import contextlib
import secrets
import threading
import time
from collections.abc import Callable, Coroutine
from datetime import datetime
from typing import Any, Final, TypeAlias

from controlplane.evaluation_log import EvaluationLog, Keep
from controlplane.evaluator import Evaluator
from controlplane.following import Following, Scope
from controlplane.identifiers import Clock, NewId
from controlplane.services.errors import Unready
from controlplane.services.evaluation_answers import AskedBy, Decided, entry_of, text_of
from controlplane.services.evaluation_questions import Asked, Question, Semantic, Unreadable
from controlplane.services.in_force import CurrentPolicy
from controlplane.services.rego_engines import RegoEngines
from policies.contracts.decision import Decision, Effect, Reason
from policies.contracts.request import EvaluationRequest
from policies.evaluation.text_rules import not_judged

_STOP_WITHIN_S: Final = 5.0

Answered: TypeAlias = Decided | Unreadable


class DecisionPoint:
    """Answers from any thread. `keep` stores entries of the log durably."""

    def __init__(
        self,
        *,
        in_force: CurrentPolicy,
        rego: RegoEngines,
        keep: Keep,
        clock: Clock,
        new_id: NewId,
        pseudonym_key: bytes,
    ) -> None:
        self._clock = clock
        self._new_id = new_id
        self._pseudonym_key = pseudonym_key
        self._log = EvaluationLog(keep)
        self._following = Following(in_force=in_force, rego=rego)
        self._begin = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._closed = False

    def submit(
        self, asked: Asked, by: AskedBy, *, environment: str
    ) -> "concurrent.futures.Future[tuple[Answered, ...]]":
        """Return what will be the answers to `asked`, in their order, once they are on record.

        Raises, there: NotFound for no such environment, Unready where nothing decides, StoreUnavailable.
        """
        loop = self._running()
        return asyncio.run_coroutine_threadsafe(self._answer(asked, by, environment), loop)

    def ring(self) -> None:
        """Look at what is in force now. May be called from any thread."""
        loop = self._loop
        if loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(self._following.forget_what_was_seen)

    def close(self) -> None:
        """End every engine and the thread."""
        with self._begin:
            self._closed = True
            loop, thread, self._loop, self._thread = self._loop, self._thread, None, None
        if loop is None or thread is None:
            return
        # Engines that do not end in time end with the thread, or with the process.
        with contextlib.suppress(TimeoutError):
            asyncio.run_coroutine_threadsafe(self._following.end(), loop).result(_STOP_WITHIN_S)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(_STOP_WITHIN_S)

    def _running(self) -> asyncio.AbstractEventLoop:
        with self._begin:
            if self._closed:
                raise Unready("policy-unavailable", "The server is stopping.")
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                # The OPAs end with this thread, whatever ends it.
                self._thread = threading.Thread(target=_run, args=(self._loop,), name="decisions", daemon=True)
                self._thread.start()
            return self._loop

    async def _answer(self, asked: Asked, by: AskedBy, environment: str) -> tuple[Answered, ...]:
        scope = (by.principal.tenant, environment)
        started = time.perf_counter_ns()
        evaluator, blocked = await self._following.what_decides(scope)

        async def one(item: Question | Unreadable) -> Answered:
            if isinstance(item, Unreadable):
                return item
            return await self._decide(item, evaluator, blocked=blocked, scope=scope, started=started)

        with evaluator:
            answered = await _all(asked, one)
        entries = [
            entry_of(
                each,
                by,
                index=index,
                environment=environment,
                pseudonym_key=self._pseudonym_key,
                salt=secrets.token_hex(16),
            )
            for index, each in enumerate(answered)
            if isinstance(each, Decided)
        ]
        await self._log.append(by.principal.tenant, entries)
        return answered

    async def _decide(
        self, question: Question, evaluator: Evaluator, *, blocked: frozenset[str], scope: Scope, started: int
    ) -> Decided:
        began = time.perf_counter_ns()
        asked = _request(question, scope, at=self._clock())
        if str(question.subject) in blocked:
            decision = _blocked(evaluator)
        else:
            decision = await evaluator.decide(asked)
        ended = time.perf_counter_ns()
        return Decided(
            id=self._new_id("dec_"),
            question=question,
            decision=decision,
            serial=evaluator.serial,
            text=text_of(decision, evaluator.texts),
            input=evaluator.input_of(asked),
            not_judged=not_judged(evaluator.snapshot, asked).kinds,
            at=asked.at,
            decide_us=(ended - began) // 1000,
            total_us=(ended - started) // 1000,
        )


def _run(loop: asyncio.AbstractEventLoop) -> None:
    try:
        loop.run_forever()
    finally:
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()


async def _all(asked: Asked, one: Callable[[Any], Coroutine[Any, Any, Answered]]) -> tuple[Answered, ...]:
    """Answer in order, as far as the semantic of the batch goes."""
    if asked.semantic is Semantic.EXECUTE_ALL:
        return tuple(await asyncio.gather(*map(one, asked.items)))
    ends_with = asked.semantic is Semantic.PERMIT_ON_FIRST_PERMIT
    answered: list[Answered] = []
    for item in asked.items:
        answered.append(await one(item))
        if _allows(answered[-1]) is ends_with:
            break
    return tuple(answered)


def _request(question: Question, scope: Scope, *, at: datetime) -> EvaluationRequest:
    tenant, environment = scope
    return EvaluationRequest(
        request_id="",
        tenant=tenant,
        environment=environment,
        subject=question.subject,
        action=question.action,
        resource=question.resource,
        facts=question.facts,
        at=at,
        properties=question.properties,
    )


def _allows(answered: Answered) -> bool:
    return isinstance(answered, Decided) and answered.is_allowed


def _blocked(evaluator: Evaluator) -> Decision:
    reasons = (Reason(code="credentials-revoked"),)
    return Decision(effect=Effect.DENY, reasons=reasons, obligations=(), revision=evaluator.snapshot.revision)
