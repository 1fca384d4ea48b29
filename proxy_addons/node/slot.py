# SPDX-License-Identifier: Apache-2.0
"""One worker slot: its listener, the process that serves it, the one that comes next, and those that finish.

Theory: the node binds and listens; workers inherit. Two processes may serve one listener, so that a successor takes
connections before its predecessor stops: a restart leaves no gap. A connection that arrives while a slot has no process
waits in the kernel's queue for the next one, so that a worker's death costs the requests it had, and no other.

Rules: a process that serves and does not say what it counted when asked `_MOST_UNANSWERED` times in a row hangs; one
that has not come to serve yet has the time of a start. It is killed, since its share of the connections waits for it,
and started again. A worker answers between two steps of its event loop, also while it loads a bundle; ten seconds are a
hundred times what the longest step takes on a busy machine.
"""

import asyncio
import socket
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

import structlog

from proxy_addons.core.series import Series
from proxy_addons.node.changed import Changed
from proxy_addons.node.claims import Claim, ClaimsOfSlot
from proxy_addons.node.messages import ActivateBundle, Measure, ToWorker
from proxy_addons.node.totals import Totals
from proxy_addons.node.worker_process import PROGRAM, WorkerProcess, WorkerState

_log: Final = structlog.get_logger()

# A worker that lived this long starts again at once. One that dies young waits 0, 0.1, 0.2, … at most 2 s, so that a
# worker that cannot start does not take the processor from those that can.
_STABLE_AFTER_S: Final = 10.0
_FIRST_DELAY_S: Final = 0.1
_LONGEST_DELAY_S: Final = 2.0
# A process needs a second to import its parts, more on a machine that starts everything at once.
READY_S: Final = 30.0
ASK_EVERY_S: Final = 2.5
_MOST_UNANSWERED: Final = 4
_MOST_UNANSWERED_AT_START: Final = round(READY_S / ASK_EVERY_S)


class WorkerSlot:
    """Keeps one process running. `greeting` gives what a new process must be told first; the rest as `Fleet` has it."""

    def __init__(
        self,
        slot: int,
        listener: socket.socket,
        *,
        greeting: Callable[[], Sequence[ToWorker]],
        changed: Changed,
        totals: Totals,
        on_missing_key: Callable[[str], None] = lambda _issuer: None,
        program: Sequence[str] = PROGRAM,
        ask_every_s: float = ASK_EVERY_S,
    ) -> None:
        self.slot = slot
        self.starts = 0
        self.hangs = 0
        self._listener = listener
        self._greeting = greeting
        self._changed = changed
        self._totals = totals
        self._on_missing_key = on_missing_key
        self._program = program
        self._ask_every_s = ask_every_s
        self._current: WorkerProcess | None = None
        self._running: dict[WorkerProcess, asyncio.Task[None]] = {}
        self._launched_at = 0.0
        self._stopping = False
        self._claims = ClaimsOfSlot()

    @property
    def state(self) -> WorkerState:
        """What the serving process does; `held` also has what those that finish still hold."""
        held = frozenset[int]().union(*(process.state.held for process in self._running))
        return replace(self._current.state if self._current else WorkerState(slot=self.slot), held=held)

    @property
    def answers(self) -> int:
        """How often the serving process has answered."""
        return self._current.answers if self._current is not None else 0

    @property
    def counted(self) -> list[list[Series]]:
        return [process.counted for process in self._running]

    @property
    def claims(self) -> tuple[Claim, ...]:
        return self._claims.with_running(process.claim for process in self._running)

    async def run(self) -> None:
        """Start the process, and again whenever it ends, until `stop` was called. Cancelled, it kills all of them."""
        watching = asyncio.create_task(self._watch())
        try:
            await self._keep()
            await asyncio.gather(*self._running.values(), return_exceptions=True)
        finally:
            watching.cancel()
            tasks = tuple(self._running.values())
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def replace(self, drain_s: float) -> bool:
        """Start a successor; once it serves, drain the process there is. False: it did not, and the old one stays."""
        if self._stopping:
            return False
        successor = self._launch()
        served = await self._changed.until(
            lambda: successor not in self._running or self._serves(successor), timeout_s=READY_S
        )
        if not served or successor not in self._running:
            _log.error("successor_not_ready", slot=self.slot)
            self._abandon(successor)
            return False
        before, self._current = self._current, successor
        if before is not None:
            before.drain(drain_s)
        self._changed.notify()
        return True

    def send(self, message: ToWorker) -> None:
        """Tell every process of the slot: one that finishes must learn of a revocation, and so must a successor."""
        for process in self._running:
            process.send(message)

    def ask(self) -> None:
        for process in self._running:
            process.send(Measure())

    def stop(self, deadline_s: float) -> None:
        """Have every process finish its requests and end, and start no other."""
        self._stopping = True
        for process in self._running:
            if not process.draining:
                process.drain(deadline_s)

    async def _keep(self) -> None:
        delay_s = 0.0
        now = asyncio.get_running_loop().time
        while not self._stopping:
            if not self._is_served():  # a successor may have come up while this waited
                self._current = self._launch()
            while self._is_served():  # by it, or by a successor that took its place
                await self._changed.wait(_STABLE_AFTER_S)
            if now() - self._launched_at >= _STABLE_AFTER_S:
                delay_s = 0.0
            elif not self._stopping:
                await asyncio.sleep(delay_s)
                delay_s = min(max(2 * delay_s, _FIRST_DELAY_S), _LONGEST_DELAY_S)

    def _is_served(self) -> bool:
        return self._current is not None

    def _launch(self) -> WorkerProcess:
        process = WorkerProcess(
            self.slot,
            self._listener,
            greeting=self._greeting,
            on_change=self._changed.notify,
            on_missing_key=self._on_missing_key,
            program=self._program,
        )
        self.starts += 1
        self._launched_at = asyncio.get_running_loop().time()
        self._running[process] = asyncio.create_task(self._run(process))
        return process

    async def _run(self, process: WorkerProcess) -> None:
        try:
            await process.run()
        except OSError as exc:
            _log.error("worker_not_started", slot=self.slot, problem=exc.strerror)  # memory or descriptors; tried again
        finally:
            del self._running[process]
            if self._current is process:
                self._current = None
            self._totals.retire(process.counted)
            self._claims.retire(process.claim)
            self._changed.notify()

    def _abandon(self, successor: WorkerProcess) -> None:
        if task := self._running.get(successor):
            task.cancel()  # which kills it

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(self._ask_every_s)
            for process in tuple(self._running):
                most = _MOST_UNANSWERED if process.state.ready else _MOST_UNANSWERED_AT_START
                if process.draining or process.killed or process.state.pid is None:
                    continue  # a deadline of its own ends it, or it is not there (any more)
                if process.unanswered >= most:
                    _log.error("worker_hung", slot=self.slot, pid=process.state.pid)
                    self.hangs += 1
                    process.kill()
                else:
                    process.ask()

    def _serves(self, process: WorkerProcess) -> bool:
        has_policy = any(isinstance(message, ActivateBundle) for message in self._greeting())
        return process.state.ready and (process.state.serial is not None or not has_policy)
