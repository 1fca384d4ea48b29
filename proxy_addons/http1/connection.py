# SPDX-License-Identifier: Apache-2.0
"""The socket of one client: feeds its bytes to the layer and does what the layer commands.

Theory: an asyncio Protocol. A hook runs in place as far as it goes; one that waits goes on in a task, and the layer
waits for that. Backpressure: the upstream is read only while the client's transport is below its high-water mark and no
hook is waited for, so memory for a slow reader is bounded by that mark and one read.
"""

import asyncio
import functools
import socket
from collections import deque
from typing import Final, cast

import structlog
from mitmproxy.connection import ConnectionState
from mitmproxy.proxy.commands import CloseConnection, Command, SendData
from mitmproxy.proxy.context import Context
from mitmproxy.proxy.events import ConnectionClosed, DataReceived, Event, Start
from mitmproxy.proxy.server_hooks import ClientConnectedHook, ClientDisconnectedHook

from proxy_addons.http1.client import client_of
from proxy_addons.http1.layer import TURNS_AT_ONCE, Http1ReverseLayer
from proxy_addons.http1.messages import (
    AbandonUpstream,
    AwaitHook,
    CallUpstream,
    ClientFinished,
    DeadlinePassed,
    GoOn,
    HookEnded,
    Linger,
    PauseClient,
    ResumeClient,
    SetDeadline,
    TakeBreath,
    UpstreamContent,
    UpstreamEvent,
    WatchClient,
)
from proxy_addons.http1.pool import UpstreamCall
from proxy_addons.http1.reset import watch_for_reset
from proxy_addons.http1.surroundings import Surroundings
from proxy_addons.http1.timer import Deadline

_log: Final = structlog.get_logger()


class ClientConnection(asyncio.Protocol):
    def __init__(self, around: Surroundings) -> None:
        self._around = around
        self._bounds = around.terms.bounds
        self._events: deque[Event] = deque()
        self._feeding = False
        self._leaving = b""  # sent by commands in a row, and not written yet
        self._tasks: set[asyncio.Future[bool]] = set()
        self._call: UpstreamCall | None = None
        self._hook_running = False
        self._client_slow = self._layer_pauses = False
        self._unexamined_bytes = 0  # came while a hook ran: mitmproxy's Layer queues them without bound
        self._lost = False
        self._unsent_bytes = 0
        self._lingering_bytes: int | None = None
        self._deadline = Deadline(self._deadline_passed)
        self._deadline_serial = 0
        self._patience = Deadline(self._out_of_patience)  # for a client that does not read, and for one that lingers

    @property
    def idle(self) -> bool:
        return self._layer.idle and not self._tasks

    def close_if_idle(self) -> None:
        if self.idle:
            self._transport.close()

    def tell(self, event: Event) -> None:
        """Give the layer an event that is of no socket."""
        self._feed(event)

    # ── what asyncio calls ──

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports have asyncio's methods but not its classes, so their type cannot be asked.
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=self._bounds.client_buffer_bytes)
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        around = self._around
        self._client, peer = client_of(self._transport, around.mode, now_s=around.terms.utc_now().timestamp())
        self._layer = Http1ReverseLayer(Context(self._client, around.options), around.terms, peer_certificate=peer)
        around.registry.opened(self)
        self._tell_addons(ClientConnectedHook.name)
        self._feed(Start())

    def data_received(self, data: bytes) -> None:
        if self._lingering_bytes is not None:
            self._lingering_bytes -= len(data)
            if self._lingering_bytes < 0:
                self.abort()
            return
        if self._hook_running:
            self._unexamined_bytes += len(data)
            self._pace_client()
        self._layer.turns_left = 0 if self._client_slow else TURNS_AT_ONCE
        self._feed(DataReceived(self._client, data))

    def eof_received(self) -> bool:
        if self._lingering_bytes is not None:
            return False  # it has read our answer to its end
        self._client.state &= ~ConnectionState.CAN_READ
        if self._client.tls:  # both directions of TLS end together
            self._feed(ConnectionClosed(self._client))
            return False
        self._feed(ClientFinished())
        return True  # the layer closes, after it has said what it still has to say

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  # asyncio's signature
        self._client.state = ConnectionState.CLOSED
        self._client.timestamp_end = self._around.terms.utc_now().timestamp()
        self._deadline.clear()
        self._patience.clear()
        self._feed(ConnectionClosed(self._client))
        self._abandon()
        self._tell_addons(ClientDisconnectedHook.name)
        self._lost = True
        self._settle()

    def pause_writing(self) -> None:
        self._client_slow = True
        self._unsent_bytes = self._transport.get_write_buffer_size()
        self._patience.set(self._bounds.client_stall_s)
        self._pace_upstream()

    def resume_writing(self) -> None:
        self._client_slow = False
        if self._lingering_bytes is None:
            self._patience.pause()
        self._pace_upstream()
        self._go_on()

    # ── what the layer commands ──

    def _feed(self, event: Event) -> None:
        self._events.append(event)
        if self._feeding:
            return
        self._feeding = True
        try:
            while self._events:
                for command in self._layer.handle_event(self._events.popleft()):
                    if type(command) is SendData:
                        self._leaving += command.data
                    else:
                        self._flush()
                        self._execute(command)
            self._flush()
        except Exception as exc:  # noqa: BLE001  # the layer could not even refuse: nothing may pass any more
            self._fail(exc)
        finally:
            self._feeding = False

    def _flush(self) -> None:
        """Write what leaves together: the head of a stream and its first events are one system call, not two."""
        leaving, self._leaving = self._leaving, b""
        if leaving and not self._transport.is_closing():
            self._transport.write(leaving)

    def _from_upstream(self, event: UpstreamEvent) -> None:
        if type(event) is UpstreamContent and not self._feeding:
            try:
                piece = self._layer.pass_on(event)
            except Exception as exc:  # noqa: BLE001  # as above
                self._fail(exc)
                return
            if piece is not None:
                self._leaving = piece
                self._flush()
                return
        self._feed(event)

    def _fail(self, exc: Exception) -> None:
        _log.error("connection_failed", error=type(exc).__name__)
        self._events.clear()
        self._leaving = b""
        self.abort()

    def _execute(self, command: Command) -> None:
        match command:
            case PauseClient() | ResumeClient():
                self._layer_pauses = isinstance(command, PauseClient)
                self._pace_client()
            case Linger(mid_request=mid_request):
                self._linger(mid_request=mid_request)
            case CloseConnection():
                self._transport.close()
            case AwaitHook():
                self._await_hook(command)
            case SetDeadline(after_s=after_s, serial=serial):
                self._deadline_serial = serial
                self._deadline.set(after_s)
            case CallUpstream():
                self._call = self._around.pool.call(command, self._from_upstream)
                self._pace_upstream()
            case AbandonUpstream():
                self._abandon()
            case TakeBreath():
                asyncio.get_running_loop().call_soon(self._go_on)
            case WatchClient():
                watch_for_reset(self._transport, self.abort)
            case _:
                raise TypeError(f"no such command here: {type(command).__name__}")

    def _await_hook(self, command: AwaitHook) -> None:
        self._hook_running = True
        self._pace_upstream()
        self._tasks.add(command.task)
        command.task.add_done_callback(functools.partial(self._hook_ended, command))

    def _hook_ended(self, command: AwaitHook, task: "asyncio.Future[bool]") -> None:
        self._tasks.discard(task)
        self._hook_running = False
        self._unexamined_bytes = 0
        self._pace_client()
        # Also when it was cancelled: the layer goes on, and goes on to refuse.
        failed = task.cancelled() or task.exception() is not None or task.result()
        self._feed(HookEnded(command, failed))
        self._pace_upstream()
        self._settle()

    def _go_on(self) -> None:
        """Let the layer read on, once its client takes answers: those to all it has sent would fill memory."""
        if self._layer.out_of_breath and not self._client_slow:
            self._feed(GoOn())

    def _tell_addons(self, name: str) -> None:
        """Run a hook about the client. Nobody waits for it but the end of the connection."""
        if name not in self._around.hooks:
            return
        outcome = self._around.hooks.start(name, self._client)
        if not isinstance(outcome, bool):
            self._tasks.add(outcome)
            outcome.add_done_callback(self._told)

    def _told(self, task: "asyncio.Future[bool]") -> None:
        self._tasks.discard(task)
        self._settle()

    def _settle(self) -> None:
        """The connection counts as open until the addons are done with it: they may be recording it."""
        if self._lost and not self._tasks:
            self._layer.release()
            self._around.registry.closed(self)

    def _pace_upstream(self) -> None:
        call = self._call
        if call is None or call.ended:
            return
        wanted = self._client_slow or self._hook_running
        if wanted is not call.paused:
            (call.pause if wanted else call.resume)()

    def _pace_client(self) -> None:
        if self._transport.is_closing() or ConnectionState.CAN_READ not in self._client.state:
            return
        enough = self._layer_pauses or self._unexamined_bytes > self._bounds.pipelined_bytes
        (self._transport.pause_reading if enough else self._transport.resume_reading)()

    def _abandon(self) -> None:
        if self._call is not None:
            self._call.abandon()
            self._call = None

    def _linger(self, *, mid_request: bool) -> None:
        if self._transport.is_closing():
            return
        if ConnectionState.CAN_READ not in self._client.state or (self._client.tls and not mid_request):
            self._transport.close()  # nothing more can come, or is due
            return
        self._lingering_bytes = self._bounds.linger_bytes
        self._layer_pauses = False
        self._unsent_bytes = self._transport.get_write_buffer_size()
        self._patience.set(self._bounds.client_stall_s if self._unsent_bytes else self._bounds.linger_s)
        self._pace_client()
        if not self._client.tls:  # TLS cannot say that one direction ended; the answer's head has said it
            self._transport.write_eof()

    def _out_of_patience(self) -> None:
        """Go on waiting for a client that has taken something of its answer since the last look."""
        before, self._unsent_bytes = self._unsent_bytes, self._transport.get_write_buffer_size()
        if self._unsent_bytes < before:
            self._patience.set(self._bounds.client_stall_s if self._unsent_bytes else self._bounds.linger_s)
        else:
            self.abort()

    def _deadline_passed(self) -> None:
        self._feed(DeadlinePassed(self._deadline_serial))

    def abort(self) -> None:
        """End the connection now. The layer tells the addons that the client is gone."""
        self._abandon()
        self._transport.abort()
