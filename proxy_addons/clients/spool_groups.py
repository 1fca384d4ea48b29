# SPDX-License-Identifier: Apache-2.0
"""What waits for the spool's thread: the records of one round of an event loop, and those who wait for them."""

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

import orjson

from policies.contracts.record import UNNUMBERED, DecisionRecord, RecordOutcome

# In the line, whose envelope is a string in JSON. Quotes within a string of the envelope are escaped once more there,
# and the payload follows the envelope: the first place is the number's.
_NUMBER: Final = b'\\"seq\\":%d}'
_UNNUMBERED: Final = _NUMBER % UNNUMBERED
_IN_ENVELOPE: Final = b'"seq":%d}' % UNNUMBERED
# How many that wait for one write go on in one round of the event loop.
_WOKEN_AT_ONCE: Final = 8


class SpoolUnavailable(Exception):
    """A record that is not durable and will not be. The text names no content."""


@dataclass(frozen=True, slots=True)
class Pending:
    """A line that has no number yet, and who waits for it, if anybody does.

    `admitted`: its request was let in. `again`: who waits will try again, so that it is not lost if it fails now.
    """

    line: bytes
    number_at: int
    admitted: bool
    done: "asyncio.Future[None] | None"
    again: bool = False

    @classmethod
    def of(
        cls, record: DecisionRecord, *, admitted: bool, done: "asyncio.Future[None] | None", again: bool = False
    ) -> "Pending":
        """Raises ValueError where `record` has a source other than the spool gives."""
        if _IN_ENVELOPE not in record.envelope:
            raise ValueError("a record has to have the source that `next_source` gave")
        # As `record.to_line` does, in a quarter of its time.
        texts = {"envelope": record.envelope.decode(), "payload": record.payload.decode()}
        line = orjson.dumps(texts, option=orjson.OPT_APPEND_NEWLINE)
        return cls(line, line.index(_UNNUMBERED), admitted, done, again)

    def numbered(self, seq: int) -> bytes:
        return self.line[: self.number_at] + _NUMBER % seq + self.line[self.number_at + len(_UNNUMBERED) :]

    def outcome(self) -> str:
        """Return what the record says of its request; whoever waits for a record that is lost is refused instead."""
        outcome = str(orjson.loads(orjson.loads(self.line)["envelope"]).get("outcome"))
        refused = self.done is not None and outcome == RecordOutcome.ALLOW
        return RecordOutcome.ERROR_DENY if refused else outcome


def outcomes_of(lost: Iterable[Pending]) -> list[str]:
    """Return the outcomes of those that were lost for good."""
    return [each.outcome() for each in lost if not each.again]


@dataclass(eq=False, slots=True)
class Group:
    """What was written in one round of `loop`. `asking` are those who want to know whether a write would do."""

    loop: asyncio.AbstractEventLoop
    pending: list[Pending] = field(default_factory=list)
    asking: "list[asyncio.Future[None]]" = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.pending) + len(self.asking)


def wake(groups: Iterable[Group], lost: Iterable[Pending], problem: str) -> None:
    """Tell all who wait in `groups` that their records are durable, and those of `lost` that they are not."""
    failed = {id(each.done) for each in lost}
    waiting: dict[asyncio.AbstractEventLoop, list[asyncio.Future[None]]] = {}
    for group in groups:
        futures = waiting.setdefault(group.loop, [])
        futures.extend(group.asking)
        futures.extend(each.done for each in group.pending if each.done is not None)
    for loop, futures in waiting.items():
        if futures and not loop.is_closed():
            with suppress(RuntimeError):  # it was closed just now
                loop.call_soon_threadsafe(_wake, futures, failed, problem)


def _wake(waiting: "list[asyncio.Future[None]]", failed: set[int], problem: str) -> None:
    """Wake the first of `waiting`, and the others in the rounds of the loop that follow.

    Whoever is woken goes on in the next round, and each takes a fifth of a millisecond there: the ends of 500 streams,
    cut at once and durable at once, would keep everybody else waiting for a tenth of a second.
    """
    for done in waiting[:_WOKEN_AT_ONCE]:
        if done.done():  # the writer was cancelled; its record is kept
            continue
        if id(done) in failed:
            done.set_exception(SpoolUnavailable(problem))
        else:
            done.set_result(None)
    if rest := waiting[_WOKEN_AT_ONCE:]:
        asyncio.get_running_loop().call_soon(_wake, rest, failed, problem)
