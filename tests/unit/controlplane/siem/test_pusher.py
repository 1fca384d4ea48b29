# SPDX-License-Identifier: Apache-2.0
"""A pusher over a real store: what it delivers, what it remembers, what it says it lost."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest

from controlplane.services.records import EntryKind
from controlplane.siem.delivery import DeliveryFailed
from controlplane.siem.messages import Message
from controlplane.siem.pusher import LEASE, Pusher
from controlplane.siem.shapes import writer_of
from controlplane.siem.sinks import Shape, Sink, SinkKind
from tests.control_planes import PlaneUnderTest, TurnableClock, make_plane
from tests.records import make_record

SINK = Sink(id="siem", kind=SinkKind.HTTP, url="http://127.0.0.1", host="127.0.0.1", port=80, tls=False)


@dataclass
class FakeDelivery:
    delivered: list[Message] = field(default_factory=list)
    failures: int = 0
    closed: bool = False

    def deliver(self, messages: Sequence[Message]) -> None:
        if self.failures:
            self.failures -= 1
            raise DeliveryFailed("no")
        self.delivered += messages

    def close(self) -> None:
        self.closed = True


@dataclass
class Rig:
    plane: PlaneUnderTest
    clock: TurnableClock
    delivery: FakeDelivery
    sink: Sink = SINK

    def pusher(self, owner: str = "a") -> Pusher:
        return Pusher(
            self.sink,
            owner=owner,
            store=self.plane.store,
            delivery=self.delivery,
            write=writer_of(Shape.RECORD),
            clock=self.clock,
        )

    def ingest(self, first: int, last: int, **members) -> None:
        lines = b"".join(make_record(seq=number, **members).to_line() for number in range(first, last + 1))
        answer = self.plane.call(
            "POST", "/v1/records", "agent", data=lines, headers={"Content-Type": "application/x-ndjson"}
        )
        assert answer.status_code == 200, answer.text

    @property
    def indexes(self) -> list[int]:
        return [message.log_index for message in self.delivery.delivered]


@pytest.fixture
def rig(tmp_path):
    under_test = make_plane(f"sqlite:///{tmp_path / 'gatehouse.db'}")
    yield Rig(under_test, under_test.clock, FakeDelivery())
    under_test.store.close()


def push_all(pusher: Pusher) -> None:
    while pusher.push():
        pass


def test_every_entry_is_delivered_once_and_in_order(rig):
    rig.ingest(1, 700)
    pusher = rig.pusher()
    push_all(pusher)
    assert rig.indexes == list(range(700))
    assert pusher.lag.entries == 0
    rig.ingest(701, 702)
    push_all(pusher)
    assert rig.indexes == list(range(702))


def test_a_pusher_goes_on_where_the_one_before_was(rig):
    rig.ingest(1, 3)
    push_all(rig.pusher())
    rig.ingest(4, 5)
    rig.clock.turn(LEASE.total_seconds())
    push_all(rig.pusher(owner="b"))
    assert rig.indexes == list(range(5))


def test_what_was_not_taken_is_sent_again(rig):
    rig.ingest(1, 3)
    rig.delivery.failures = 2
    pusher = rig.pusher()
    for _ in range(2):
        with pytest.raises(DeliveryFailed):
            pusher.push()
    assert rig.indexes == []
    push_all(pusher)
    assert rig.indexes == [0, 1, 2]


def test_two_control_planes_do_not_both_serve_a_sink(rig):
    rig.ingest(1, 2)
    first, second = rig.pusher("a"), rig.pusher("b")
    push_all(first)
    rig.ingest(3, 4)
    assert not second.push()
    assert rig.indexes == [0, 1]
    rig.clock.turn(LEASE.total_seconds())
    push_all(second)
    assert rig.indexes == [0, 1, 2, 3]


def test_a_sink_gets_the_kinds_it_asked_for(rig):
    rig.ingest(1, 2, kind="admission")
    rig.ingest(3, 3)
    rig.sink = replace(SINK, kinds=frozenset({EntryKind.TERMINAL}))
    push_all(rig.pusher())
    assert rig.indexes == [2]
    rig.ingest(4, 4, kind="admission")
    pusher = rig.pusher()
    push_all(pusher)
    assert (rig.indexes, pusher.lag.entries) == ([2], 0)


def test_large_entries_make_small_batches(rig):
    reasons = tuple((f"reason-{number}", "p") for number in range(80))
    rig.ingest(1, 450, reasons=reasons)
    sizes = []
    deliver = rig.delivery.deliver
    rig.delivery.deliver = lambda messages: (sizes.append(sum(len(one.text) for one in messages)), deliver(messages))
    push_all(rig.pusher())
    assert rig.indexes == list(range(450))
    assert len(sizes) > 1
    assert max(sizes) < 1024 * 1024 + 16 * 1024


def test_the_severity_follows_the_outcome(rig):
    for number, outcome in enumerate(("allow", "deny", "error_deny"), start=1):
        rig.ingest(number, number, outcome=outcome)
    push_all(rig.pusher())
    assert [message.severity.name for message in rig.delivery.delivered] == ["INFO", "WARNING", "ERROR"]


def test_it_runs_until_it_is_stopped(rig):
    rig.ingest(1, 3)
    stop = threading.Event()
    pusher = rig.pusher()
    thread = threading.Thread(target=pusher.run, args=(stop,))
    thread.start()
    try:
        for _ in range(200):
            if rig.indexes:
                break
            stop.wait(0.05)
    finally:
        stop.set()
        thread.join(10)
    assert rig.indexes == [0, 1, 2]
    assert rig.delivery.closed


def test_a_lease_outlasts_a_delivery():
    assert timedelta(seconds=30) < LEASE
