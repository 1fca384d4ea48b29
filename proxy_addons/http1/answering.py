# SPDX-License-Identifier: Apache-2.0
"""The second half of a turn: the upstream's answer, or a refusal, on its way to the client.

Rules: every answer leaves by `_answer` (whole) or `_stream_ends` (the last of a stream), both after `response`. What
the upstream sends is never written; what leaves is `flow.response` or what the stream's enforcer gave.
"""

from asyncio import Future
from collections.abc import Generator
from typing import Any, Final

import structlog
from mitmproxy import http
from mitmproxy.proxy.commands import CloseConnection, Command, SendData

from proxy_addons.core.answered_by import model_digest
from proxy_addons.core.streaming import StreamEnforcer, is_stream_enforcer
from proxy_addons.http1 import wire
from proxy_addons.http1.conversation import Commands, Conversation, Stage
from proxy_addons.http1.eager import start
from proxy_addons.http1.enforcing import decide, due_ns, examine, expire, failing, has_cut, last_bytes, waits
from proxy_addons.http1.messages import (
    AbandonUpstream,
    AwaitHook,
    CallUpstream,
    Examined,
    Linger,
    Revoked,
    UpstreamAnswered,
    UpstreamContent,
    UpstreamEvent,
    UpstreamFailed,
    UpstreamFinished,
)
from proxy_addons.http1.turn import Turn, examinable, is_event_stream, upstream_response

_log: Final = structlog.get_logger()


class Answering(Conversation):
    """What `Http1ReverseLayer` does from the upstream's head on."""

    # ── the upstream's side ──

    def _upstream(self, turn: Turn, event: UpstreamEvent | Revoked) -> Commands:
        match event:
            case Revoked(is_over=is_over):
                if is_over(turn.exchange):
                    yield from self._upstream_failed(turn, "credentials-revoked")
            case UpstreamAnswered():
                yield from self._answered(turn, event)
            case UpstreamContent() if turn.enforcer is not None:
                yield from self._stream(turn, turn.enforcer, event)
            case UpstreamContent(content=content):
                turn.answer.append(content)
                turn.answer_bytes += len(content)
                if turn.answer_bytes > self._terms.bounds.answer_bytes:
                    yield from self._upstream_failed(turn, "upstream-invalid")
            case UpstreamFinished() if turn.enforcer is not None:
                yield from self._stream_finished(turn, turn.enforcer)
            case UpstreamFinished() if turn.flow.response is not None:
                turn.flow.response.data.content = b"".join(turn.answer)
                turn.answer.clear()
                yield from self._answer(turn)
            case UpstreamFailed(code=code):
                yield from self._upstream_failed(turn, code)

    def _answered(self, turn: Turn, event: UpstreamAnswered) -> Commands:
        turn.exchange.upstream_first_byte_ns = self._terms.monotonic_ns()
        if not examinable(event.fields):
            yield from self._upstream_failed(turn, "upstream-invalid")
            return
        turn.exchange.model_digest = model_digest(event.fields)
        flow = turn.flow
        unix_s = self._terms.utc_now().timestamp()
        turn.upstream_response = flow.response = upstream_response(event.status, event.fields, unix_s=unix_s)
        yield from self._tell("responseheaders", turn)
        stream: object = turn.upstream_response.stream
        if flow.response is not turn.upstream_response:
            yield AbandonUpstream()
            yield from self._answer(turn)
        elif stream and is_stream_enforcer(stream):
            turn.enforcer = stream
            yield from self._stream_begins(turn, turn.upstream_response)
        elif stream or is_event_stream(turn.upstream_response):
            yield from self._upstream_failed(turn, "upstream-invalid")  # nobody examines it
        else:
            self._stage = Stage.WHOLE

    def _upstream_failed(self, turn: Turn, code: str) -> Commands:
        yield AbandonUpstream()
        turn.call = None
        turn.fail(code)
        if turn.enforcer is not None:
            last = last_bytes(turn.enforcer, code)
            yield from self._tell_error(turn)
            yield from self._stream_ends(turn, turn.enforcer, last, is_error=True)
            return
        if turn.flow.response is turn.upstream_response:
            turn.flow.response = None
        yield from self._tell_error(turn)
        if turn.flow.response is None:
            turn.refuse(code)
        yield from self._answer(turn)

    # ── the answer ──

    def _answer(self, turn: Turn) -> Commands:
        """Tell `flow.response`, whole, after the `response` hook."""
        turn.call = None
        response = turn.flow.response
        turn.exchange.bytes_out = len(response.raw_content or b"") if response is not None else 0
        yield from self._tell("response", turn)
        if turn.flow.response is None:
            turn.refuse("policy-unavailable")
        response = turn.flow.response
        keep_alive = turn.keep_alive and not self._terms.parting()
        answer = wire.whole_answer(
            response,  # type: ignore[arg-type]  # refuse() has set it
            request_id=turn.exchange.request_id,
            keep_alive=keep_alive,
            to_head_request=turn.to_head_request,
        )
        turn.answer_started = True
        yield self._first_bytes(answer)
        yield from self._turn_over(turn, keep_alive=keep_alive)

    def _stream_begins(self, turn: Turn, response: http.Response) -> Commands:
        self._stage = Stage.STREAM
        turn.keep_alive = turn.keep_alive and turn.modern and not self._terms.parting()
        framing = ((b"Transfer-Encoding", b"chunked"),) if turn.modern else ()
        head = wire.answer_head(
            response,
            ((b"Cache-Control", b"no-cache"), *framing),
            request_id=turn.exchange.request_id,
            keep_alive=turn.keep_alive,
        )
        turn.answer_started = True
        yield self._first_bytes(head)

    def pass_on(self, event: UpstreamContent) -> bytes | None:
        """Return what may leave of a piece of a stream, framed. None: `handle_event` is to be given the event.

        Nearly every event of a stream is a piece that passes; told by commands it would take three times as long.
        """
        turn = self._turn
        if turn is None or (enforcer := turn.enforcer) is None or turn.call is not event.call or self._paused:
            return None
        try:
            piece = enforcer.feed(event.content)
        except Exception as exc:  # noqa: BLE001  # whatever is wrong with the enforcer must not let the piece through
            event.examined = failing(exc)
            return None
        waiting = waits(enforcer)
        if waiting or has_cut(enforcer):
            event.examined = Examined(piece, cut=not waiting, waits=waiting)
            return None
        if not turn.timed and due_ns(enforcer) is not None:
            event.examined = Examined(piece)
            return None
        turn.exchange.bytes_out += len(piece)
        return self._framed(turn, piece)

    def _stream(self, turn: Turn, enforcer: StreamEnforcer, event: UpstreamContent) -> Commands:
        piece, failed, cut, waiting = event.examined or examine(enforcer, event.content)
        if waiting:
            if piece:
                turn.exchange.bytes_out += len(piece)
                yield SendData(self.context.client, self._framed(turn, piece))
            piece, failed, cut, _ = yield from self._decided(enforcer)
        if failed:
            yield from self._upstream_failed(turn, "evaluation-failed")
            return
        if cut:
            yield AbandonUpstream()
            yield from self._stream_ends(turn, enforcer, piece, is_error=True)
            return
        if piece:
            turn.exchange.bytes_out += len(piece)
            yield SendData(self.context.client, self._framed(turn, piece))
        if not turn.timed and (due := due_ns(enforcer)) is not None:
            turn.timed = True
            yield self._within(max(0.0, (due - self._terms.monotonic_ns()) / 1e9))

    def _held_long(self, turn: Turn, enforcer: StreamEnforcer, call: CallUpstream) -> Commands:
        """See to text that may have been held for too long. The deadline is that of the stream: no other runs now."""
        turn.timed = False
        examined = expire(enforcer, self._terms.monotonic_ns())
        yield from self._stream(turn, enforcer, UpstreamContent(call, b"", examined))

    def _decided(self, enforcer: StreamEnforcer) -> Generator[Command, Any, Examined]:
        """Wait until `enforcer`, which Waits, has its decision. The upstream waits as well, and nobody else."""
        try:
            outcome: object = start(decide(enforcer))
            if isinstance(outcome, Future):
                outcome = yield AwaitHook(outcome)
            if outcome is not False:
                return Examined(b"", failed=True)
            last: bytes = enforcer.decided()  # type: ignore[attr-defined]  # as its `waits` says
        except Exception as exc:  # noqa: BLE001  # as in `pass_on`
            return failing(exc)
        return Examined(last, cut=has_cut(enforcer))

    def _stream_finished(self, turn: Turn, enforcer: StreamEnforcer) -> Commands:
        try:
            last = enforcer.finish()
        except Exception as exc:  # noqa: BLE001  # as above: what was held back is unexamined
            _log.error("enforcement_failed", stage="stream", error=type(exc).__name__)
            yield from self._upstream_failed(turn, "evaluation-failed")
            return
        if waits(enforcer):
            piece, failed, _, _ = yield from self._decided(enforcer)
            if failed:
                yield from self._upstream_failed(turn, "evaluation-failed")
                return
            last += piece
        yield from self._stream_ends(turn, enforcer, last, is_error=has_cut(enforcer))

    def _stream_ends(self, turn: Turn, enforcer: StreamEnforcer, last: bytes, *, is_error: bool) -> Commands:
        """Send the last bytes once the `response` hook returned; if it refused or failed, an error event instead.

        `is_error`: the last bytes are an error event already.
        """
        turn.call = None
        turn.exchange.bytes_out += len(last)
        if turn.timed:
            turn.timed = False
            yield self._within(None)
        known = turn.exchange.refusal
        failed = yield from self._tell_safely("response", turn)
        if is_error:
            pass
        elif failed:
            last = last_bytes(enforcer, "policy-unavailable")
        elif turn.exchange.refusal is not known and turn.exchange.refusal is not None:
            last = last_bytes(enforcer, turn.exchange.refusal.code)
        yield SendData(self.context.client, self._framed(turn, last) + (wire.LAST_CHUNK if turn.modern else b""))
        # The head of a stream that began before this worker parts has promised that the connection goes on. A client
        # that uses it again at once would lose its request: it gets one more turn, the last.
        self._owes_turn = turn.keep_alive and self._terms.parting()
        yield from self._turn_over(turn, keep_alive=turn.keep_alive)

    def _framed(self, turn: Turn, piece: bytes) -> bytes:
        return wire.chunk(piece) if turn.modern else piece

    def _turn_over(self, turn: Turn, *, keep_alive: bool) -> Commands:
        self._end(turn)
        self._turn = self._waits_for = None
        self._started_ns = self._terms.monotonic_ns() if self._parser.pending_bytes else None
        if not keep_alive:
            self._stage = Stage.CLOSED
            yield self._within(None)
            yield Linger(mid_request=not self._parser.between_requests)
            return
        self._stage = Stage.HEAD

    def _give_up(self) -> Commands:
        """End the connection after an exception in this layer, with a refusal where nothing was said yet."""
        turn, self._turn, self._stage = self._turn, None, Stage.CLOSED
        yield AbandonUpstream()
        if turn is not None:
            self._end(turn)
        if turn is None or turn.answer_started:
            if turn is not None and not turn.response_told:  # of a stream: what became of it must be recorded
                turn.fail("policy-unavailable")
                yield from self._tell("response", turn)
            yield CloseConnection(self.context.client)
            return
        turn.fail("policy-unavailable")
        turn.refuse("policy-unavailable")
        yield from self._tell_error(turn)
        turn.refuse("policy-unavailable")
        if not turn.response_told:
            yield from self._tell("response", turn)
            turn.refuse("policy-unavailable")
        refusal = turn.flow.response
        if refusal is None:
            raise RuntimeError("no refusal")
        answer = wire.whole_answer(
            refusal,
            request_id=turn.exchange.request_id,
            keep_alive=False,
            to_head_request=turn.to_head_request,
        )
        yield self._first_bytes(answer)
        yield Linger(mid_request=True)
