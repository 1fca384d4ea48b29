# SPDX-License-Identifier: Apache-2.0
"""Tool calls of a stream that wait for a decision, and what waits behind them so that it leaves in its order."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from policies.contracts.tools import AskedCall, RefusedCall
from policies.evaluation.tool_calls import CallVerdict
from proxy_addons.core.strict_json import canonical
from proxy_addons.core.tool_decisions import ChoiceCalls, Settled


@dataclass(frozen=True, slots=True, kw_only=True)
class Undecided:
    """The calls of the choice `index`, which has ended. `closing` has what its last event carries, None without one.

    `said` is what every event says, `spoke` whether the choice has said something.
    """

    calls: ChoiceCalls
    index: int
    said: Mapping[str, Any]
    spoke: bool
    closing: Mapping[str, Any] | None

    def written(self, settled: Settled) -> bytes:
        """Return the events in which the choice ends."""
        text = settled.text(after=self.spoke)
        deltas = [delta for delta in ({"content": text} if text else {}, settled.left) if delta]
        choices = [{"index": self.index, "delta": delta, "finish_reason": None} for delta in deltas]
        if self.closing is not None:
            reason = settled.reason(self.closing["finish_reason"])
            choices.append({**self.closing, "delta": {}, "finish_reason": reason})
        return b"".join(event({**self.said, "choices": [choice]}) for choice in choices)


Leaving: TypeAlias = list[bytes | Undecided]


class DecisionQueue:
    """What may leave once every decision before it is made. Undecided calls are announced with `expected`."""

    def __init__(self) -> None:
        self.waits = False
        self._queue: Leaving = []
        self._told: tuple[RefusedCall, ...] = ()

    @property
    def undecided(self) -> tuple[tuple[AskedCall, ...], ...]:
        """The calls to be decided, by choice."""
        return tuple(item.calls.asked for item in self._queue if isinstance(item, Undecided))

    def put(self, leaving: Leaving) -> bytes:
        """Take what may leave, and return what stands before all that is undecided."""
        if not self.waits:
            return b"".join(leaving)  # type: ignore[arg-type]  # nothing undecided is among it
        self._queue += leaving
        ready = next((at for at, item in enumerate(self._queue) if isinstance(item, Undecided)), len(self._queue))
        gone, self._queue = self._queue[:ready], self._queue[ready:]
        return b"".join(gone)  # type: ignore[arg-type]  # as above

    def expected(self, members: Mapping[str, Any], **told: Any) -> list[Undecided]:
        """Return the calls among `members`, which are to be put; none where there are none. Raises CallsInvalid."""
        calls = ChoiceCalls.of(members)
        self.waits = self.waits or calls is not None
        return [] if calls is None else [Undecided(calls=calls, **told)]

    def decided(
        self, verdicts: Sequence[Sequence[CallVerdict]]
    ) -> tuple[bytes, tuple[RefusedCall, ...], RefusedCall | None]:
        """Return what may leave by `verdicts`, every call refused so far, and the one that ends the stream, or None.

        `verdicts` has a list for each of `undecided`.
        """
        given = iter(verdicts)
        leaving: list[bytes] = []
        cut = None
        for item in self.taken():
            if isinstance(item, Undecided):
                settled = item.calls.settled(next(given))
                self._told += settled.told
                if (cut := settled.cut) is not None:
                    break
            leaving.append(item if isinstance(item, bytes) else item.written(settled))
        return b"".join(leaving), self._told, cut

    def taken(self) -> Sequence[bytes | Undecided]:
        """Return all that waits, and hold nothing any more."""
        taken, self._queue, self.waits = self._queue, [], False
        return taken


def event(value: dict[str, Any]) -> bytes:
    """Return the server-sent event of `value`."""
    return b"data: " + canonical(value) + b"\n\n"
