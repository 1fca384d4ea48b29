# SPDX-License-Identifier: Apache-2.0
"""One worker slot: its listener, the process that serves it now, and what that process says of itself.

The node binds and listens; the worker inherits. A connection that arrives while a slot has no process waits in the
kernel's queue for the next one, so that a worker's death costs the requests it had, and no other.
"""

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

from proxy_addons.node.messages import (
    Authenticating,
    Drain,
    Enforcing,
    FromWorker,
    Message,
    MissesKey,
    OfState,
    Ready,
    Released,
    ShowsCertificate,
    ToWorker,
    decode,
    encode,
)

_log: Final = structlog.get_logger()

# How long a worker that is told to end may take for the requests it has.
DRAIN_S: Final = 10.0

# -O: mitmproxy checks the type of every field of every message while asserts are on, a tenth of what a request costs.
# No check of ours is an assert (tests/architecture), so that none is lost.
PROGRAM: Final = (sys.executable, "-O", "-m", "proxy_addons.worker_main")

# A worker that lived this long starts again at once. One that dies young waits 0, 0.1, 0.2, … at most 2 s, so that a
# worker that cannot start does not take the processor from those that can.
_STABLE_AFTER_S: Final = 10.0
_FIRST_DELAY_S: Final = 0.1
_LONGEST_DELAY_S: Final = 2.0
# After its drain deadline a worker still writes its last records; then it is killed.
_EXIT_GRACE_S: Final = 3.0
_LONGEST_MESSAGE_BYTES: Final = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerState:
    """What a slot's process is known to do. `held` are the serials that still decide an open request."""

    slot: int
    pid: int | None = None
    ready: bool = False
    serial: int | None = None
    revision: str | None = None
    epoch: int | None = None
    held: frozenset[int] = frozenset()
    failed_serial: int | None = None
    error: str = ""
    certificate_expires_at: str = ""
    certificate_problem: str = ""

    def after(self, message: OfState) -> "WorkerState":
        """Return the state once the worker has said `message`."""
        match message:
            case Ready():
                return replace(self, ready=True)
            case Enforcing(serial=serial, error=error) if error:
                return replace(self, failed_serial=serial, error=error)
            case Enforcing(serial=serial, revision=revision):
                held = self.held | {serial}
                return replace(self, serial=serial, revision=revision, held=held, failed_serial=None, error="")
            case Authenticating(epoch=epoch):
                return replace(self, epoch=epoch)
            case Released(serial=serial):
                return replace(self, held=self.held - {serial})
            case ShowsCertificate(expires_at=expires_at, problem=problem):
                return replace(self, certificate_expires_at=expires_at, certificate_problem=problem)


class WorkerProcess:
    """Keeps one process running for one slot. `greeting` gives what a new process must be told first."""

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
        self._listener = listener
        self._greeting = greeting
        self._on_change = on_change
        self._on_missing_key = on_missing_key
        self._program = program
        self._writer: asyncio.StreamWriter | None = None
        self._stopping = False

    async def run(self) -> None:
        """Start the process, and again whenever it ends, until `stop` was called. Cancelled, it kills the process."""
        delay_s = 0.0
        while not self._stopping:
            started = asyncio.get_running_loop().time()
            await self._run_once()
            if asyncio.get_running_loop().time() - started >= _STABLE_AFTER_S:
                delay_s = 0.0
            elif not self._stopping:
                await asyncio.sleep(delay_s)
                delay_s = min(max(2 * delay_s, _FIRST_DELAY_S), _LONGEST_DELAY_S)

    def send(self, message: ToWorker) -> None:
        """Tell the running process; a process that starts later is greeted instead."""
        if self._writer is not None and not self._writer.is_closing():
            self._writer.write(encode(message))

    def drain(self, deadline_s: float) -> None:
        """Have the running process finish its requests and end; another starts unless `stop` was called."""
        self.send(Drain(deadline_s=deadline_s))
        if self.state.pid is not None:
            pid = self.state.pid
            asyncio.get_running_loop().call_later(deadline_s + _EXIT_GRACE_S, self._kill_if_still, pid)

    def stop(self, deadline_s: float) -> None:
        """As `drain`, and start no other."""
        self._stopping = True
        self.drain(deadline_s)

    def _kill_if_still(self, pid: int) -> None:
        if self.state.pid == pid:
            _log.error("worker_overdue", slot=self.state.slot, pid=pid)
            with suppress(ProcessLookupError):  # it ended just now, and was reaped: that is what was wanted
                os.kill(pid, 9)

    async def _run_once(self) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            started = await self._start(theirs)
        reader, writer = await asyncio.open_connection(sock=ours, limit=_LONGEST_MESSAGE_BYTES)
        self._writer = writer
        self._set(WorkerState(slot=self.state.slot, pid=started.pid))
        _log.info("worker_started", slot=self.state.slot, pid=started.pid)
        try:
            for message in self._greeting():
                self.send(message)
            if self._stopping:
                self.send(Drain(deadline_s=0))
            await self._listen(reader)
            status = await self._ended(started)
        finally:
            self._writer = None
            writer.close()
            if started.returncode is None:
                started.kill()
            self._set(WorkerState(slot=self.state.slot))
        _log.log(20 if status == 0 else 40, "worker_ended", slot=self.state.slot, pid=started.pid, status=status)

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
            except (ValueError, ConnectionError):
                _log.exception("worker_unintelligible", slot=self.state.slot)
                self._kill()
                return
            if not isinstance(message, FromWorker):
                _log.error("worker_unintelligible", slot=self.state.slot, message=message.type)
                self._kill()
                return
            if isinstance(message, MissesKey):
                self._on_missing_key(message.issuer)
                continue
            self._set(self.state.after(message))

    async def _ended(self, started: Process) -> int:
        """Return the exit status of a process that closed its channel; one that then stays cannot be told anything."""
        try:
            async with asyncio.timeout(_EXIT_GRACE_S):
                return await started.wait()
        except TimeoutError:
            self._kill()
            return await started.wait()

    def _kill(self) -> None:
        if self.state.pid is not None:
            self._kill_if_still(self.state.pid)

    def _set(self, state: WorkerState) -> None:
        self.state = state
        self._on_change()
