# SPDX-License-Identifier: Apache-2.0
"""What both halves of a turn stand on: the state of the connection, hooks, and the first bytes of an answer."""

from asyncio import Future
from collections.abc import Generator
from enum import Enum, auto
from typing import Any, Final, TypeAlias

from mitmproxy.connection import Server
from mitmproxy.proxy.commands import Command, SendData
from mitmproxy.proxy.context import Context
from mitmproxy.proxy.layer import Layer

from proxy_addons.core.framing import RequestParser
from proxy_addons.http1 import wire
from proxy_addons.http1.messages import AwaitHook, SetDeadline, WatchClient
from proxy_addons.http1.turn import Terms, Turn

Commands: TypeAlias = Generator[Command, Any, None]


class Stage(Enum):
    HEAD = auto()
    BODY = auto()
    UPSTREAM = auto()
    WHOLE = auto()
    STREAM = auto()
    CLOSED = auto()


ANSWERING: Final = frozenset({Stage.UPSTREAM, Stage.WHOLE, Stage.STREAM})


class Conversation(Layer):
    """Where a connection is, and the few things that both halves of a turn do."""

    def __init__(self, context: Context, terms: Terms, *, peer_certificate: bytes | None = None) -> None:
        super().__init__(context)
        self._peer_certificate = peer_certificate
        self._terms = terms
        self._parser = RequestParser()
        self._stage = Stage.HEAD
        self._turn: Turn | None = None
        self._server = Server(address=(terms.origin.host, terms.origin.port))
        self._started_ns: int | None = None
        self._paused_client = False
        self.out_of_breath = False
        self._deadline = 0
        self._waits_for: str | None = None
        self._owes_turn = False
        self._client_finished = False
        self._begun = False

    def release(self) -> None:
        """Give back what the running turn holds of the worker. The connection is over, however it ended."""
        if self._turn is not None:
            self._end(self._turn)

    def _end(self, turn: Turn) -> None:
        turn.flow.live = False
        if turn.admitted:
            turn.admitted = False
            self._terms.admission.give_back()

    def _within(self, after_s: float | None) -> SetDeadline:
        self._deadline += 1
        return SetDeadline(after_s, self._deadline)

    # ── the first bytes of an answer ──

    def _first_bytes(self, answer: bytes) -> SendData:
        """Return the command that sends the start of an answer, without the byte that was sent of it already."""
        begun, self._begun = self._begun, False
        return SendData(self.context.client, answer[len(wire.FIRST_BYTE) :] if begun else answer)

    def _probe_client(self, turn: Turn) -> Commands:
        """Find out whether a client that finished sending still reads: a kernel without a reader refuses any byte.

        The byte is one that was to be sent anyway: the first of every answer, or a leading zero of the next chunk's
        size. A client of HTTP/1.0 in the middle of a stream has no such byte; the next event shows it.
        """
        if not turn.answer_started:
            self._begun = True
            yield SendData(self.context.client, wire.FIRST_BYTE)
        elif turn.modern:
            yield SendData(self.context.client, b"0")
        yield WatchClient()

    # ── hooks ──

    def _tell(self, name: str, turn: Turn) -> Commands:
        """Run a hook. If it fails, the answer is a refusal, whatever the hook left behind."""
        failed = yield from self._tell_safely(name, turn)
        if failed:
            turn.refuse("policy-unavailable")

    def _tell_safely(self, name: str, turn: Turn) -> Generator[Command, Any, bool]:
        """Run a hook and return whether it failed. Only an outcome of exactly False says that it did not."""
        turn.response_told |= name == "response"
        error = turn.flow.error
        outcome: object = self._terms.hooks.start(name, turn.flow)
        if isinstance(outcome, Future):
            outcome = yield AwaitHook(outcome)
        return outcome is not False or turn.flow.error is not error  # an addon that kills the flow refuses it

    def _tell_error(self, turn: Turn) -> Commands:
        if not turn.error_told:
            turn.error_told = True
            yield from self._tell("error", turn)
