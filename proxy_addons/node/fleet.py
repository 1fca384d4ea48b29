# SPDX-License-Identifier: Apache-2.0
"""All worker slots of the node together: told the same, waited for, measured, restarted one by one."""

import asyncio
import socket
from collections.abc import Callable, Sequence
from typing import Final

from proxy_addons.node.changed import Changed
from proxy_addons.node.claims import Claim
from proxy_addons.node.messages import (
    ActivateBundle,
    EndCandidate,
    Serve,
    ToWorker,
    TrustUntil,
    TryCandidate,
    UseCredentials,
    UseIssuerKeys,
    UseRevocations,
)
from proxy_addons.node.slot import READY_S, WorkerSlot
from proxy_addons.node.totals import Sums, Totals
from proxy_addons.node.worker_process import PROGRAM, WorkerState

# Loading a bundle of thousands of rules takes a second on a busy core; a worker that needs longer is reported.
_ACKNOWLEDGE_S: Final = 10.0
# A scrape waits this long for a worker in the middle of something; what it said last is at most seconds old.
_MEASURE_S: Final = 1.0


class Fleet:
    """What every worker, also a later one, is told to use: `bundle`, `credentials`, `revocations`, `issuer_keys`,
    `candidate`.

    A worker takes no connection before it uses the first three: until then they wait in the kernel's queue.
    `on_missing_key` is given the issuer of a token whose key a worker does not have.
    """

    def __init__(
        self,
        listeners: Sequence[socket.socket],
        *,
        on_missing_key: Callable[[str], None] = lambda _issuer: None,
        program: Sequence[str] = PROGRAM,
    ) -> None:
        self.changed = Changed()
        self.bundle: ActivateBundle | None = None
        self.candidate: TryCandidate | None = None
        self.credentials: UseCredentials | None = None
        self.revocations: UseRevocations | None = None
        self._trust: TrustUntil | None = None
        self.issuer_keys: UseIssuerKeys | None = None
        self._open = False
        self._totals = Totals()
        self._workers = tuple(
            WorkerSlot(
                slot,
                listener,
                greeting=self._greeting,
                changed=self.changed,
                totals=self._totals,
                on_missing_key=on_missing_key,
                program=program,
            )
            for slot, listener in enumerate(listeners)
        )

    @property
    def states(self) -> tuple[WorkerState, ...]:
        return tuple(worker.state for worker in self._workers)

    @property
    def claims(self) -> tuple[Claim, ...]:
        return tuple(claim for worker in self._workers for claim in worker.claims)

    async def run(self) -> None:
        """Keep every worker running, until `stop` was called and all have ended."""
        async with asyncio.TaskGroup() as group:
            for worker in self._workers:
                group.create_task(worker.run())

    def open(self) -> None:
        """Let workers take connections, each as soon as it uses what it was told before."""
        self._open = True
        for worker in self._workers:
            worker.send(Serve())

    async def activate(self, bundle: ActivateBundle) -> bool:
        """Have all workers enforce `bundle`; True once all have answered and one at least enforces it.

        Where none does, what was in force before stays so, also for workers that start later.
        """
        before, self.bundle = self.bundle, bundle
        for worker in self._workers:
            worker.send(bundle)
        # Right after a start no process has come up yet; the time to acknowledge begins when the first has.
        await self.changed.until(lambda: any(map(self._is_up, self.states)), timeout_s=READY_S)
        await self.changed.until(lambda: all(map(self._has_answered, self.states)), timeout_s=_ACKNOWLEDGE_S)
        if any(state.serial == bundle.serial for state in self.states):
            return True
        self.bundle = before
        for worker in self._workers:
            # One that restarted meanwhile was greeted with the bundle that failed, and enforces nothing.
            if before is not None and worker.state.serial != before.serial:
                worker.send(before)
        return False

    def try_candidate(self, candidate: TryCandidate) -> None:
        """Have all workers try `candidate`. One that cannot says why; what is in force decides there alone."""
        self.candidate = candidate
        for worker in self._workers:
            worker.send(candidate)

    def end_candidate(self) -> None:
        """Have no worker try a candidate any more."""
        candidate, self.candidate = self.candidate, None
        if candidate is not None:
            for worker in self._workers:
                worker.send(EndCandidate(serial=candidate.serial))

    async def authenticate(self, credentials: UseCredentials) -> bool:
        """Have all workers authenticate by `credentials`; True once all do."""
        self.credentials = credentials
        for worker in self._workers:
            worker.send(credentials)
        return await self.changed.until(
            lambda: all(state.epoch == credentials.epoch for state in self.states),
            timeout_s=_ACKNOWLEDGE_S,
        )

    def revoke(self, revocations: UseRevocations) -> None:
        """Have all workers refuse what `revocations` name. Each says when it does; nobody is waited for."""
        self.revocations = revocations
        for worker in self._workers:
            worker.send(revocations)

    def trust(self, until: TrustUntil) -> None:
        """Have all workers refuse from then on, unless they are told a later time before."""
        self._trust = until
        for worker in self._workers:
            worker.send(until)

    def verify_tokens(self, issuer_keys: UseIssuerKeys) -> None:
        """Have all workers verify tokens by `issuer_keys`. One that does not yet refuses what it cannot verify."""
        self.issuer_keys = issuer_keys
        for worker in self._workers:
            worker.send(issuer_keys)

    async def restart(self, drain_s: float) -> None:
        """Replace every worker by a new process, the next only when the one before serves."""
        for worker in self._workers:
            await worker.replace(drain_s)

    async def measure(self) -> tuple[Sums, frozenset[int]]:
        """Return what all workers counted, also those that ended, and the slots whose worker has just said so."""
        before = {worker.slot: worker.answers for worker in self._workers}
        for worker in self._workers:
            worker.ask()
        await self.changed.until(
            lambda: all(worker.answers > before[worker.slot] for worker in self._workers), timeout_s=_MEASURE_S
        )
        answered = frozenset(worker.slot for worker in self._workers if worker.answers > before[worker.slot])
        return self._totals.with_running(one for worker in self._workers for one in worker.counted), answered

    @property
    def starts(self) -> dict[int, int]:
        """How many processes each slot has had."""
        return {worker.slot: worker.starts for worker in self._workers}

    @property
    def hangs(self) -> dict[int, int]:
        """How many of them were killed because they did not answer."""
        return {worker.slot: worker.hangs for worker in self._workers}

    def stop(self, drain_s: float) -> None:
        for worker in self._workers:
            worker.stop(drain_s)

    def _has_answered(self, state: WorkerState) -> bool:
        return self.bundle is not None and self.bundle.serial in {state.serial, state.failed_serial}

    def _is_up(self, state: WorkerState) -> bool:
        return state.ready or state.epoch is not None or self._has_answered(state)

    def _greeting(self) -> list[ToWorker]:
        # What is revoked comes before the keys that it revokes.
        knows = (self._trust, self.revocations, self.credentials, self.issuer_keys, self.bundle, self.candidate)
        return [message for message in (*knows, Serve() if self._open else None) if message is not None]
