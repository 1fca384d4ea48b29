# SPDX-License-Identifier: Apache-2.0
"""What the layer needs of whoever examines a streamed answer: bytes in, bytes that may leave out."""

from collections.abc import Iterable
from typing import Protocol, TypeGuard, runtime_checkable


@runtime_checkable
class StreamEnforcer(Protocol):
    """Put at `flow.response.stream` by an addon in `responseheaders`. All that leaves comes from its return values.

    If one of its methods raises, the layer calls `abort("evaluation-failed")` and ends the answer.
    """

    def feed(self, piece: bytes, /) -> bytes:
        """Return what may leave now that `piece` arrived, possibly nothing."""

    def finish(self) -> bytes:
        """Return what was held back, examined, once the upstream has ended its answer."""

    def abort(self, code: str, /) -> bytes:
        """Return the error event for `code` as the last bytes. What was held back is dropped.

        May follow `finish`: when the answer could not be recorded, these bytes leave in place of those of `finish`.
        Does not follow a cut of its own.
        """


@runtime_checkable
class CutsByItself(Protocol):
    """A StreamEnforcer that may end the answer by itself (a block): nothing of the upstream is wanted after that.

    `cut` says why. The `feed` or `finish` after which it is not None returned the error event, the last bytes.
    """

    @property
    def cut(self) -> object | None: ...


@runtime_checkable
class Waits(Protocol):
    """A StreamEnforcer that may have to ask before more leaves.

    Where `waits` is true after a `feed` or `finish`, the layer runs `decide`, feeds nothing more meanwhile, and sends
    what `decided` gives. Only then does `cut` count.
    """

    @property
    def waits(self) -> bool: ...

    async def decide(self) -> None:
        """Return once it is decided. MUST be bounded in time: the client waits."""

    def decided(self) -> bytes:
        """Return what may leave now. Without a decision, the error event."""


@runtime_checkable
class Expires(Protocol):
    """A StreamEnforcer that may hold text for a time only.

    The layer calls `expire` at or after `due_ns`, whether or not something has arrived, and sends what it gives. Then
    `cut` counts as after `feed`.
    """

    @property
    def due_ns(self) -> int | None:
        """A time of the monotonic clock, None while nothing is held or the time does not matter."""

    def expire(self, now_ns: int, /) -> bytes:
        """Return what may leave in place of what was held for too long, possibly nothing."""


def first(due_ns: Iterable[int | None]) -> int | None:
    """Return the first of several times at which something is due."""
    return min((each for each in due_ns if each is not None), default=None)


def is_stream_enforcer(candidate: object) -> TypeGuard[StreamEnforcer]:
    """Whether `candidate` is a StreamEnforcer by its class, whose answer is remembered.

    `isinstance` looks through the protocol's members each time and takes twenty times as long; it is asked eight times.
    """
    return issubclass(type(candidate), StreamEnforcer)
