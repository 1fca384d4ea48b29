# SPDX-License-Identifier: Apache-2.0
"""Follows the log for one sink: reads from its durable position on, delivers, and moves the position.

Theory: the log is the spool. An entry is durable before anybody may see it, so nothing is kept a second time; what is
kept is how far a sink has been served. The position moves after the receiver's yes, so that a kill between the two
sends a batch again: at least once, in order. What retention dropped before it was delivered is lost to the sink,
counted, and said.

Several control planes may serve one log: a sink belongs to the one that holds its lease, which each delivery renews.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

import structlog

from controlplane.identifiers import Clock
from controlplane.services.errors import StoreUnavailable
from controlplane.services.ports import Session, Store
from controlplane.services.pushing import SinkPosition
from controlplane.services.records import LogEntry
from controlplane.siem.delivery import Delivery, DeliveryFailed
from controlplane.siem.messages import Message, message_of, read_envelope
from controlplane.siem.sinks import Sink

_BATCH_ENTRIES: Final = 500
_BATCH_BYTES: Final = 1024 * 1024
_LOOK_EVERY_S: Final = 1.0
_FIRST_DELAY_S: Final = 1.0
_LONGEST_DELAY_S: Final = 60.0
# Longer than a delivery may take, so that nobody takes a sink from one who is serving it.
LEASE: Final = timedelta(seconds=45)

_log: Final = structlog.get_logger("gatehouse.siem")


Writer = Callable[[LogEntry, Mapping[str, Any]], bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lag:
    """What a sink has not got yet, and what it never will."""

    entries: int
    lost: int
    failing: bool


class Pusher:
    """Serves one sink. `write` gives the text of an entry, ASCII JSON of one line, None where it says nothing there."""

    def __init__(
        self,
        sink: Sink,
        *,
        owner: str,
        store: Store,
        delivery: Delivery,
        write: Writer,
        clock: Clock,
    ) -> None:
        self.sink = sink
        self.lag = Lag(entries=0, lost=0, failing=False)
        self._owner = owner
        self._store = store
        self._delivery = delivery
        self._write = write
        self._clock = clock
        self._delay_s = _FIRST_DELAY_S

    def run(self, stop: threading.Event) -> None:
        """Serve the sink until `stop` is set."""
        while not stop.is_set():
            try:
                more = self.push()
            except DeliveryFailed as exc:
                self._fail("sink_not_served", str(exc))
            except StoreUnavailable:
                self._fail("sink_log_not_read", "the store did not answer")
            else:
                self._delay_s = _FIRST_DELAY_S
                if not more:
                    stop.wait(_LOOK_EVERY_S)
                continue
            stop.wait(self._delay_s)
            self._delay_s = min(2 * self._delay_s, _LONGEST_DELAY_S)
        self._delivery.close()

    def push(self) -> bool:
        """Deliver the next batch, if the sink is ours and there is one. Returns whether there is more to deliver."""
        tenant, now = self.sink.tenant, self._clock()
        with self._store.write() as session:
            held = session.sink_positions.take(tenant, self.sink.id, owner=self._owner, now=now, until=now + LEASE)
        if held is None:
            return False
        with self._store.read() as session:
            size = session.log.size(tenant)
            messages, following = self._batch(session, held, size)
        if messages:
            self._delivery.deliver(messages)
        if following != held:
            with self._store.write() as session:
                until = self._clock() + LEASE
                session.sink_positions.move(tenant, self.sink.id, following, owner=self._owner, until=until)
        if following.lost > held.lost:
            _log.error("sink_entries_lost", sink=self.sink.id, count=following.lost - held.lost)
        if self.lag.failing:
            _log.info("sink_served_again", sink=self.sink.id)
        self.lag = Lag(entries=size - following.next_index, lost=following.lost, failing=False)
        return following.next_index < size

    def _batch(self, session: Session, held: SinkPosition, size: int) -> tuple[Sequence[Message], SinkPosition]:
        messages: list[Message] = []
        room, lost, following = _BATCH_BYTES, held.lost, held.next_index
        last = min(size, held.next_index + _BATCH_ENTRIES) - 1
        for entry in session.log.entries(self.sink.tenant, held.next_index, last):
            following = entry.log_index + 1
            if entry.envelope is None:
                lost += 1  # whatever kind it was
                continue
            if entry.kind not in self.sink.kinds:
                continue
            envelope = read_envelope(entry.envelope)
            message = message_of(entry, envelope, self._write(entry, envelope))
            messages.append(message)
            room -= len(message.text)
            if room <= 0:
                break
        return messages, SinkPosition(next_index=following, lost=lost)

    def _fail(self, event: str, problem: str) -> None:
        if not self.lag.failing:
            _log.warning(event, sink=self.sink.id, problem=problem)
        self.lag = Lag(entries=self.lag.entries, lost=self.lag.lost, failing=True)
