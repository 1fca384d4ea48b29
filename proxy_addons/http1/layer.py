# SPDX-License-Identifier: Apache-2.0
"""A mitmproxy layer that proxies HTTP/1.1 in reverse in one step: flows and hooks as any addon knows them.

Theory: a connection is a sequence of turns, one after the other. A turn is in one stage; events move it on:

    HEAD ─requestheaders─► BODY ─request─► UPSTREAM ─responseheaders─► WHOLE or STREAM ─response─► HEAD

Every arrow may lead to a refusal instead, which is told after the `response` hook. `yield`ing a hook suspends the
layer until the addons are done; what happens meanwhile is queued by mitmproxy's `Layer` and comes afterwards, in order.

Rules: nothing goes upstream before `request` has returned without failure, without a response, and with a decision
that allows. No byte of an answer leaves but through `flow.response` or the stream's enforcer. A hook that fails, or an
exception here, refuses. The order of the hooks: `proxy_addons.core.exchange`.
"""

from typing import Final

import structlog
from mitmproxy.connection import ConnectionState
from mitmproxy.proxy.commands import CloseConnection, SendData
from mitmproxy.proxy.events import ConnectionClosed, DataReceived, Event

from proxy_addons.core.framing import BodyPiece, Fault, RequestEnd, RequestHead
from proxy_addons.http1 import wire
from proxy_addons.http1.answering import Answering
from proxy_addons.http1.conversation import ANSWERING, Commands, Stage
from proxy_addons.http1.messages import (
    AbandonUpstream,
    CallUpstream,
    ClientFinished,
    DeadlinePassed,
    GoOn,
    PauseClient,
    ResumeClient,
    Revoked,
    TakeBreath,
    UpstreamEvent,
)
from proxy_addons.http1.turn import Turn, begin

_log: Final = structlog.get_logger()
_READING: Final = frozenset({Stage.HEAD, Stage.BODY})

# One read can hold a thousand requests that are refused on their heads, at a third of a millisecond each. All other
# connections of the worker wait for this many of them at most.
TURNS_AT_ONCE: Final = 4


class Http1ReverseLayer(Answering):
    """The client's side of one connection, and what is said to its upstream.

    `turns_left` is how many requests may begin before the loop sees to other connections; who feeds bytes sets it.
    """

    turns_left = TURNS_AT_ONCE

    @property
    def idle(self) -> bool:
        """No request is being read or answered."""
        return self._turn is None and self._parser.between_requests

    def _handle_event(self, event: Event) -> Commands:
        try:
            yield from self._on(event)
        except Exception as exc:  # noqa: BLE001  # whatever is wrong with this layer must not let a request through
            _log.error("layer_failed", error=type(exc).__name__, stage=self._stage.name)
            yield from self._give_up()

    def _on(self, event: Event) -> Commands:
        if self._stage is Stage.CLOSED:
            return
        match event:
            case DataReceived(data=chunk):
                yield from self._received(chunk)
            case ConnectionClosed():
                yield from self._client_left()
            case ClientFinished():
                yield from self._finished()
            case DeadlinePassed(serial=serial):
                yield from self._late(serial)
            case GoOn():
                self.out_of_breath, self.turns_left = False, TURNS_AT_ONCE
            case UpstreamEvent() | Revoked() if (turn := self._answered_by(event)) is not None:
                yield from self._upstream(turn, event)
        if self._stage in _READING and not self.out_of_breath:
            yield from self._read_requests()
        if self._paused_client:
            yield from self._read_client_again()

    # ── the client's side ──

    def _received(self, chunk: bytes) -> Commands:
        if self._started_ns is None:
            self._started_ns = self._terms.monotonic_ns()
        self._parser.receive(chunk)
        busy = self.out_of_breath or self._stage in ANSWERING
        if busy and self._parser.pending_bytes > self._terms.bounds.pipelined_bytes:
            self._paused_client = True
            yield PauseClient()

    def _read_client_again(self) -> Commands:
        """Resume a paused client, once little enough is left; each turn would else let in more than it takes away."""
        starved = self._stage in _READING and not self.out_of_breath
        if starved or self._parser.pending_bytes <= self._terms.bounds.pipelined_bytes:
            self._paused_client = False
            yield ResumeClient()

    def _finished(self) -> Commands:
        self._client_finished = True
        if self._turn is not None and self._stage in ANSWERING:
            yield from self._probe_client(self._turn)

    def _read_requests(self) -> Commands:
        while self._stage in _READING:
            if self.turns_left <= 0 and self._turn is None and self._parser.pending_bytes:
                yield from self._take_breath()
                return
            event = self._parser.next_event()
            match event:
                case None:
                    yield from self._await_client()
                    return
                case RequestHead():
                    yield from self._head(event)
                case BodyPiece(content):
                    yield from self._body(content)
                case RequestEnd() if self._turn is None:
                    pass  # of a request without body that was refused on its head
                case RequestEnd():
                    yield from self._request_complete()
                case Fault(code):
                    yield from self._request_faulty(code)

    def _take_breath(self) -> Commands:
        """Leave what has arrived until GoOn. No deadline of the client's runs: it is we who are late."""
        self.out_of_breath = True
        self._waits_for = None
        yield self._within(None)
        yield TakeBreath()

    def _await_client(self) -> Commands:
        """Set the deadline of what the client has to send next. One that finished sending will not send it."""
        if self._client_finished:
            yield from self._client_left()
            return
        bounds = self._terms.bounds
        if self._stage is Stage.BODY and self._turn is not None:
            left_s = (self._turn.body_until_ns - self._terms.monotonic_ns()) / 1e9
            yield self._within(min(bounds.body_idle_s, max(left_s, 0.0)))
            self._waits_for = "body"
            return
        waits_for = "request" if self._parser.between_requests else "head"
        if waits_for != self._waits_for:  # else it runs on: a head has one deadline from its first byte
            self._waits_for = waits_for
            idle_s = bounds.parting_s if self._owes_turn else bounds.keep_alive_s
            yield self._within(idle_s if waits_for == "request" else bounds.head_s)

    def _open(self, head: RequestHead | None) -> Turn:
        now_ns = self._terms.monotonic_ns()
        started_ns = self._started_ns if self._started_ns is not None else now_ns
        turn = begin(head, self.context.client, self._server, terms=self._terms, started_ns=started_ns)
        turn.exchange.peer_certificate = self._peer_certificate
        turn.body_until_ns = now_ns + int(self._terms.bounds.body_total_s * 1e9)
        self._turn = turn
        self.turns_left -= 1
        return turn

    def _head(self, head: RequestHead) -> Commands:
        turn = self._open(head)
        yield self._within(None)
        self._waits_for = None
        if self._terms.draining() and not self._owes_turn:
            turn.exchange.fault = "draining"
        elif self._terms.admission.take():
            turn.admitted = True
        else:
            turn.exchange.fault = "overloaded"
        yield from self._tell("requestheaders", turn)
        exchange = turn.exchange
        if turn.flow.response is None and exchange.fault is not None:
            turn.refuse(exchange.fault)
        if turn.flow.response is not None:
            turn.keep_alive = turn.keep_alive and head.content_length == 0
            yield from self._answer(turn)
        elif head.content_length is not None and head.content_length > exchange.max_body_bytes:
            yield from self._request_faulty("body-too-large")
        else:
            self._stage = Stage.BODY
            if head.expects_continue and head.content_length != 0 and not self._parser.pending_bytes:
                yield SendData(self.context.client, wire.CONTINUE)

    def _body(self, content: bytes) -> Commands:
        turn = self._current()
        turn.exchange.bytes_in += len(content)
        if turn.exchange.bytes_in > turn.exchange.max_body_bytes:
            yield from self._request_faulty("body-too-large")
        else:
            turn.body.append(content)

    def _request_faulty(self, code: str) -> Commands:
        """Refuse a request that cannot be read to its end. The connection ends with it: the next has no known place."""
        turn = self._turn
        if turn is None:
            turn = self._open(None)
            turn.exchange.fault = code
            yield from self._tell("requestheaders", turn)
        else:
            turn.exchange.fault = code
        turn.keep_alive = False
        turn.body.clear()
        if turn.flow.response is None and turn.flow.request.method:
            yield from self._tell("request", turn)
        if turn.flow.response is None:
            turn.refuse(code)
        yield from self._answer(turn)

    def _request_complete(self) -> Commands:
        turn = self._current()
        flow = turn.flow
        flow.request.data.content = b"".join(turn.body)
        turn.body.clear()
        if self._waits_for is not None:  # else the body came with its head, whose deadline is off
            self._waits_for = None
            yield self._within(None)
        yield from self._tell("request", turn)
        if flow.response is None and not turn.allowed:
            turn.refuse("policy-unavailable")
        if flow.response is not None:
            yield from self._answer(turn)
            return
        self._stage = Stage.UPSTREAM
        if self.context.client.state is not ConnectionState.CLOSED:  # else the client left while addons decided
            name = turn.exchange.upstream
            origin = self._terms.origin if name is None else self._terms.others[name]
            request = wire.upstream_request(flow.request, origin, turn.exchange.request_id)
            turn.call = CallUpstream(request, turn.to_head_request, turn.resendable, name)
            turn.exchange.upstream_started_ns = self._terms.monotonic_ns()
            yield turn.call

    def _late(self, serial: int) -> Commands:
        """Do what the deadline is for: a stream's is for what is held of it, any other for what the client owes."""
        turn = self._turn
        if serial != self._deadline:
            return
        if turn is not None and turn.timed and turn.enforcer is not None and turn.call is not None:
            yield from self._held_long(turn, turn.enforcer, turn.call)
        else:
            yield from self._client_late()

    def _client_late(self) -> Commands:
        if self._stage is Stage.HEAD and self._parser.between_requests:
            self._stage = Stage.CLOSED
            yield CloseConnection(self.context.client)
        elif self._stage in _READING:
            yield from self._request_faulty("request-timeout")

    def _client_left(self) -> Commands:
        turn, self._turn, self._stage = self._turn, None, Stage.CLOSED
        yield AbandonUpstream()
        if turn is not None:
            turn.fail("client-disconnected")
            self._end(turn)
            yield from self._tell_error(turn)
        yield CloseConnection(self.context.client)

    def _answered_by(self, event: UpstreamEvent | Revoked) -> Turn | None:
        """Return the turn whose answer is under way, where `event` is about that."""
        turn = self._turn
        if turn is None or self._stage not in ANSWERING:
            return None
        return turn if isinstance(event, Revoked) or turn.call is event.call else None

    def _current(self) -> Turn:
        if self._turn is None:
            raise RuntimeError("a body without a head")
        return self._turn
