# SPDX-License-Identifier: Apache-2.0
"""One worker's process: started for a slot, talked to over its channel, and what it says of itself."""

import asyncio
import os
import socket
import sys
from asyncio.subprocess import Process
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Final

import structlog

from proxy_addons.core.series import Series
from proxy_addons.node.claims import Claim, claim_from
from proxy_addons.node.messages import (
    Authenticating,
    Drain,
    Enforcing,
    FromWorker,
    Measure,
    Measured,
    Message,
    MissesKey,
    OfState,
    Ready,
    Released,
    Revoking,
    ShowsCertificate,
    ToWorker,
    Trying,
    decode,
    encode,
)
from proxy_addons.node.totals import Unintelligible, series_from

_log: Final = structlog.get_logger()

# How long a worker that is told to end may take for the requests it has.
DRAIN_S: Final = 10.0

# -O: mitmproxy checks the type of every field of every message while asserts are on, a tenth of what a request costs.
# No check of ours is an assert (tests/architecture), so that none is lost.
PROGRAM: Final = (sys.executable, "-O", "-m", "proxy_addons.worker_main")

# After its drain deadline a worker still writes its last records; then it is killed.
_EXIT_GRACE_S: Final = 3.0
# What a worker counted, with the thousand series that a family may have, is below this.
_LONGEST_MESSAGE_BYTES: Final = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerState:
    """What a slot's process is known to do. `held` are the serials that still decide an open request, or may.

    `candidate_serial` is tried beside `serial`; `candidate_error` says why `candidate_failed` is not.
    """

    slot: int
    pid: int | None = None
    ready: bool = False
    serial: int | None = None
    revision: str | None = None
    epoch: int | None = None
    revocations_epoch: int | None = None
    held: frozenset[int] = frozenset()
    failed_serial: int | None = None
    error: str = ""
    candidate_serial: int | None = None
    candidate_failed: int | None = None
    candidate_error: str = ""
    certificate_expires_at: str = ""
    certificate_problem: str = ""

    def after(self, message: OfState) -> "WorkerState":
        """Return the state once the worker has said `message`."""
        match message:
            case Ready():
                return replace(self, ready=True)
            case Enforcing():
                return self._enforcing(message)
            case Trying():
                return self._trying(message)
            case Authenticating(epoch=epoch) | Revoking(epoch=epoch):
                revokes = isinstance(message, Revoking)
                return replace(self, revocations_epoch=epoch) if revokes else replace(self, epoch=epoch)
            case Released(serial=serial):
                return replace(self, held=self.held - {serial})
            case ShowsCertificate(expires_at=expires_at, problem=problem):
                return replace(self, certificate_expires_at=expires_at, certificate_problem=problem)

    def _enforcing(self, message: Enforcing) -> "WorkerState":
        if message.error:
            return replace(self, failed_serial=message.serial, error=message.error)
        held = self.held | {message.serial}
        return replace(self, serial=message.serial, revision=message.revision, held=held, failed_serial=None, error="")

    def _trying(self, message: Trying) -> "WorkerState":
        if message.error:
            return replace(self, candidate_serial=None, candidate_failed=message.serial, candidate_error=message.error)
        held = self.held if message.serial is None else self.held | {message.serial}
        return replace(self, candidate_serial=message.serial, candidate_failed=None, candidate_error="", held=held)


class WorkerProcess:
    """One process, from its start to its end. `greeting` gives what it is told once it has a channel."""

    def __init__(
        self,
        slot: int,
        listener: socket.socket,
        *,
        greeting: Callable[[], Sequence[ToWorker]],
        on_change: Callable[[], None],
        on_missing_key: Callable[[str], None] = lambda _issuer: None,
        program: Sequence[str] = PROGRAM,
    ) -> None:
        self.state = WorkerState(slot=slot)
        self.counted: list[Series] = []
        self.claim: Claim | None = None
        self.answers = 0  # to Measure
        self.unanswered = 0  # in a row
        self._listener = listener
        self._greeting = greeting
        self._on_change = on_change
        self._on_missing_key = on_missing_key
        self._program = program
        self._writer: asyncio.StreamWriter | None = None
        self.killed = False
        self._until_s: float | None = None  # told to drain before it had a channel

    async def run(self) -> None:
        """Start it, and return when it has ended. Cancelled, it kills the process. Raises OSError if none can start."""
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                started = await self._start(theirs)
        except BaseException:
            ours.close()
            raise
        reader, writer = await asyncio.open_connection(sock=ours, limit=_LONGEST_MESSAGE_BYTES)
        self._writer = writer
        self._set(WorkerState(slot=self.state.slot, pid=started.pid))
        _log.info("worker_started", slot=self.state.slot, pid=started.pid)
        try:
            for message in self._greeting():
                self.send(message)
            if self._until_s is not None:
                self.drain(self._until_s)
            await self._listen(reader)
            status = await self._ended(started)
        finally:
            self._writer = None
            writer.close()
            if started.returncode is None:
                started.kill()
            self._set(WorkerState(slot=self.state.slot))
        _log.log(20 if status == 0 else 40, "worker_ended", slot=self.state.slot, pid=started.pid, status=status)

    def send(self, message: ToWorker) -> None:
        """Tell the process, if it runs."""
        if self._writer is not None and not self._writer.is_closing():
            self._writer.write(encode(message))

    def ask(self) -> None:
        """Ask what it counted. A process that does not answer is not asked without bound: its channel would fill."""
        self.unanswered += 1
        self.send(Measure())

    def drain(self, deadline_s: float) -> None:
        """Have the process finish its requests and end; it is killed if it does not."""
        self._until_s = deadline_s
        self.send(Drain(deadline_s=deadline_s))
        if self.state.pid is not None:
            asyncio.get_running_loop().call_later(deadline_s + _EXIT_GRACE_S, self._kill_if_still, self.state.pid)

    @property
    def draining(self) -> bool:
        return self._until_s is not None

    def kill(self) -> None:
        self.killed = True
        if self.state.pid is not None:
            with suppress(ProcessLookupError):  # it ended just now, and was reaped: that is what was wanted
                os.kill(self.state.pid, 9)

    def _kill_if_still(self, pid: int) -> None:
        if self.state.pid == pid:
            _log.error("worker_overdue", slot=self.state.slot, pid=pid)
            self.kill()

    async def _start(self, channel: socket.socket) -> Process:
        descriptors = (self._listener.fileno(), channel.fileno())
        return await asyncio.create_subprocess_exec(
            *self._program,
            *("--slot", str(self.state.slot)),
            *("--listener-fd", str(descriptors[0])),
            *("--node-fd", str(descriptors[1])),
            *("--node-pid", str(os.getpid())),
            *("--drain-s", str(DRAIN_S)),
            stdin=asyncio.subprocess.DEVNULL,
            pass_fds=descriptors,
            # A Ctrl-C in a terminal goes to the node alone; it drains the workers in its own order.
            start_new_session=True,
        )

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        """Follow the worker's messages until it closes the channel. One it should not send ends the worker."""
        while True:
            try:
                line = await reader.readline()
                if not line:
                    return
                message: Message = decode(line)
                if not isinstance(message, FromWorker):
                    raise Unintelligible(f"a worker does not send {message.type}")  # one way out
                if isinstance(message, Measured):
                    self.counted, self.claim = series_from(message.series), claim_from(message.source)
                    self.answers, self.unanswered = self.answers + 1, 0
                    self._on_change()
                    continue
                if isinstance(message, MissesKey):
                    self._on_missing_key(message.issuer)
                    continue
            except ConnectionError:
                return  # it ended with a message unread
            except ValueError:
                _log.exception("worker_unintelligible", slot=self.state.slot)
                self.kill()
                return
            self._set(self.state.after(message))

    async def _ended(self, started: Process) -> int:
        """Return the exit status of a process that closed its channel; one that then stays cannot be told anything."""
        try:
            async with asyncio.timeout(_EXIT_GRACE_S):
                return await started.wait()
        except TimeoutError:
            self._kill_if_still(started.pid)
            return await started.wait()

    def _set(self, state: WorkerState) -> None:
        self.state = state
        self._on_change()
