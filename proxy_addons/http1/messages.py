# SPDX-License-Identifier: Apache-2.0
"""What the layer and its connection say to each other beyond mitmproxy's own commands and events."""

from asyncio import Future
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from mitmproxy.proxy.commands import Command
from mitmproxy.proxy.events import CommandCompleted, Event

from proxy_addons.core.exchange import Exchange
from proxy_addons.core.framing import Fields


@dataclass(eq=False)
class CallUpstream(Command):
    """Send `request` to the upstream. Its answer comes as UpstreamEvents that name this call.

    `resendable`: the request costs and changes nothing at the upstream, so it may be sent again on a fresh connection
    when a reused one turns out to have been closed. `upstream` is the name of the upstream, None of the default one.
    """

    request: bytes
    to_head_request: bool
    resendable: bool
    upstream: str | None = None


@dataclass(eq=False)
class AwaitHook(Command):
    """Go on when `task`, a hook that waits for something, says whether it failed. The reply is HookEnded."""

    blocking = True
    task: Future[bool]


@dataclass(repr=False)
class HookEnded(CommandCompleted):
    command: AwaitHook
    reply: bool


class AbandonUpstream(Command):
    """Close the connection of the running call, if there is one. No event of it follows."""


@dataclass(eq=False)
class SetDeadline(Command):
    """Replace the deadline: DeadlinePassed comes after `after_s` seconds. None means no deadline."""

    after_s: float | None
    serial: int


class WatchClient(Command):
    """A byte was sent to a client that finished sending: if it is gone, its kernel refuses that byte; then abort."""


class TakeBreath(Command):
    """Let the loop see to other connections, then send GoOn: bytes that are here already hold further requests."""


class PauseClient(Command):
    """Do not read from the client until ResumeClient."""


class ResumeClient(Command):
    """Read from the client again."""


@dataclass(eq=False)
class Linger(Command):
    """Send what was written, then our FIN; read and drop what still comes, within bounds; then close.

    `mid_request`: the rest of a request is on its way, or may be.
    """

    mid_request: bool


class Examined(NamedTuple):
    """What may leave of a piece of a stream, and why the stream ends here if it does.

    `waits`: the rest of it is to be decided on.
    """

    piece: bytes
    failed: bool = False
    cut: bool = False
    waits: bool = False


@dataclass
class Revoked(Event):
    """Something is revoked: end the answer under way where `is_over` says so of its exchange."""

    is_over: Callable[[Exchange], bool]


class ClientFinished(Event):
    """The client has sent its last byte. It may be gone, or only done: a half-closed connection looks the same."""


class GoOn(Event):
    """Go on with the requests that TakeBreath left."""


@dataclass
class DeadlinePassed(Event):
    serial: int


@dataclass
class UpstreamEvent(Event):
    call: CallUpstream


@dataclass
class UpstreamAnswered(UpstreamEvent):
    """The head of the answer."""

    status: int
    fields: Fields


@dataclass
class UpstreamContent(UpstreamEvent):
    """`examined` is what a stream's enforcer made of the content, where it was asked already."""

    content: bytes
    examined: "Examined | None" = None


@dataclass
class UpstreamFinished(UpstreamEvent):
    """The answer is complete."""


@dataclass
class UpstreamFailed(UpstreamEvent):
    """The last event of a call that failed; `code` is the reason code."""

    code: str
