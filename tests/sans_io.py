# SPDX-License-Identifier: Apache-2.0
"""One client's layer without sockets, loop or clock: fed by hand, and what it commands is kept to be looked at."""

import asyncio
import itertools
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime

from mitmproxy import http
from mitmproxy.connection import Client, ConnectionState
from mitmproxy.options import Options
from mitmproxy.proxy.commands import CloseConnection, Command, SendData
from mitmproxy.proxy.context import Context
from mitmproxy.proxy.events import ConnectionClosed, DataReceived, Event, Start

from proxy_addons.core.answer_framing import AnswerEnd, AnswerHead, AnswerInvalid, AnswerParser
from proxy_addons.http1.admission import Admission
from proxy_addons.http1.bounds import Bounds
from proxy_addons.http1.hooks import HookTable
from proxy_addons.http1.layer import Http1ReverseLayer
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
    UpstreamAnswered,
    UpstreamContent,
    UpstreamFailed,
    UpstreamFinished,
    WatchClient,
)
from proxy_addons.http1.origin import UpstreamOrigin
from proxy_addons.http1.turn import Terms
from tests.layer_rig import ANSWER

ORIGIN = UpstreamOrigin(
    scheme="http", host="upstream.example", port=80, host_field=b"upstream.example", tls=None, api_key=""
)


def cut_at(raw: bytes, cuts: tuple[int, ...]) -> list[bytes]:
    """Return `raw` in pieces that end at `cuts`, each taken modulo its length."""
    edges = [0, *sorted(cut % (len(raw) + 1) for cut in cuts), len(raw)]
    return [raw[start:end] for start, end in itertools.pairwise(edges) if end > start]


class _NoLoop(asyncio.AbstractEventLoop):
    """What a future is made for that nobody waits for."""

    def get_debug(self) -> bool:
        return False


_NO_LOOP = _NoLoop()


@dataclass
class Waiting:
    """A hook that the test lets return when it likes."""

    name: str
    flow: http.HTTPFlow
    command: AwaitHook | None = None


class Talk:
    """A connection's layer between a client and an upstream that are both the test."""

    def __init__(self, *addons: object, bounds: Bounds | None = None) -> None:
        self.sent = bytearray()
        self.calls: list[CallUpstream] = []
        self.abandoned = 0
        self.closed = self.lingers = self.paused = False
        self.deadline: SetDeadline | None = None
        self.now_ns = 0
        self.parting = self.draining = False
        self.hooks_wait: bool | str = False  # all of them, or the one of that name
        self.waiting: list[Waiting] = []
        self._never: asyncio.Future[bool] = asyncio.Future(loop=_NO_LOOP)
        self.admission = Admission((bounds or Bounds()).requests)
        self.watched = self.breaths = 0
        self._hooks = HookTable(addons)
        self._answer: AnswerParser | None = None
        self._queue: deque[Event] = deque()
        self._feeding = False
        self.client = Client(
            peername=("192.0.2.1", 1), sockname=("192.0.2.2", 2), state=ConnectionState.OPEN, timestamp_start=0.0
        )
        terms = Terms(
            bounds=bounds or Bounds(),
            admission=self.admission,
            hooks=self,
            origin=ORIGIN,
            utc_now=lambda: datetime(2026, 1, 1, tzinfo=UTC),
            monotonic_ns=lambda: self.now_ns,
            parting=lambda: self.parting,
            draining=lambda: self.draining,
        )
        self.layer = Http1ReverseLayer(Context(self.client, Options()), terms)
        self.feed(Start())

    # ── what the outside does ──

    def receive(self, raw: bytes, cuts: tuple[int, ...] = ()) -> None:
        for piece in cut_at(raw, cuts):
            self.feed(DataReceived(self.client, piece))

    def leave(self) -> None:
        self.client.state = ConnectionState.CLOSED
        self.feed(ConnectionClosed(self.client))

    def finish(self) -> None:
        """Send no more, as shutdown(SHUT_WR) does."""
        self.client.state &= ~ConnectionState.CAN_READ
        self.feed(ClientFinished())

    def late(self) -> None:
        """Let the deadline that was set last pass."""
        assert self.deadline is not None
        assert self.deadline.after_s is not None, "nothing is waited for"
        self.now_ns += int(self.deadline.after_s * 1e9)
        self.feed(DeadlinePassed(self.deadline.serial))

    def answer(self, raw: bytes = ANSWER, cuts: tuple[int, ...] = (), *, then_close: bool = False) -> None:
        """Have the upstream send `raw` in answer to the last call."""
        call = self.calls[-1]
        parser = self._answer = self._answer or AnswerParser(to_head_request=call.to_head_request)
        try:
            for piece in cut_at(raw, cuts):
                self._tell(call, parser.receive(piece))
            if then_close:
                self._tell(call, parser.close())
        except AnswerInvalid:
            self.upstream_fails("upstream-invalid")

    def upstream_fails(self, code: str) -> None:
        self._answer = None
        self.feed(UpstreamFailed(self.calls[-1], code))

    def complete(self, *, failed: bool = False) -> None:
        """Let the hook return that has waited longest; `hooks_wait` made it wait."""
        self.feed(HookEnded(self.waiting.pop(0).command, failed))

    def start(self, name: str, flow: http.HTTPFlow) -> object:
        """Run a hook, as the layer asks for it."""
        if self.hooks_wait not in (True, name):
            return self._hooks.start(name, flow)
        self.waiting.append(Waiting(name, flow))
        return self._never

    # ── what came of it ──

    @property
    def answers(self) -> bytes:
        """What was sent since the last look."""
        sent = bytes(self.sent)
        self.sent.clear()
        return sent

    @property
    def requests(self) -> list[bytes]:
        return [call.request for call in self.calls]

    def feed(self, event: Event) -> None:
        self._queue.append(event)
        if self._feeding:
            return
        self._feeding = True
        while self._queue:
            for command in self.layer.handle_event(self._queue.popleft()):
                self._do(command)
        self._feeding = False

    def _tell(self, call: CallUpstream, events: list[object]) -> None:
        for event in events:
            match event:
                case AnswerHead(status, fields):
                    self.feed(UpstreamAnswered(call, status, fields))
                case bytes(content):
                    self.feed(UpstreamContent(call, content))
                case AnswerEnd():
                    self._answer = None
                    self.feed(UpstreamFinished(call))

    def _do(self, command: Command) -> None:
        match command:
            case SendData(data=content):
                assert not self.closed
                self.sent += content
            case AwaitHook():
                self.waiting[-1].command = command
            case CallUpstream():
                self._answer = None
                self.calls.append(command)
            case _:
                self._note(command)

    def _note(self, command: Command) -> None:
        match command:
            case SetDeadline():
                self.deadline = command
            case AbandonUpstream():
                self.abandoned += 1
            case TakeBreath():
                self.breaths += 1
                self._queue.append(GoOn())
            case PauseClient() | ResumeClient():
                self.paused = isinstance(command, PauseClient)
            case WatchClient():
                self.watched += 1
            case Linger():
                self.lingers = True
            case CloseConnection():
                self.closed = True
            case _:
                raise AssertionError(f"nobody here does {command}")
