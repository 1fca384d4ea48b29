# SPDX-License-Identifier: Apache-2.0
"""A thread for each sink, beside the API, for as long as the control plane serves."""

import secrets
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from controlplane.identifiers import Clock
from controlplane.services.ports import Store
from controlplane.siem.delivery import delivery_to
from controlplane.siem.pusher import Lag, Pusher
from controlplane.siem.shapes import writer_of
from controlplane.siem.sinks import Sink

# A delivery may be under way; it has a time-out of its own, and what it came to is found at the next start.
_JOIN_S = 2.0


class Pushing:
    """The pushers of this process."""

    def __init__(self, pushers: Sequence[Pusher]) -> None:
        self._pushers = pushers

    def lags(self) -> Mapping[str, Lag]:
        """Return by sink what it has not got yet, as far as this process serves it."""
        return {pusher.sink.id: pusher.lag for pusher in self._pushers}


@contextmanager
def pushing(sinks: Sequence[Sink], *, store: Store, clock: Clock, log_name: str, version: str) -> Iterator[Pushing]:
    """Push the log to `sinks` until the context ends."""
    owner = secrets.token_hex(8)
    pushers = [
        Pusher(
            sink,
            owner=owner,
            store=store,
            delivery=delivery_to(sink, log_name=log_name, version=version),
            write=writer_of(sink.shape),
            clock=clock,
        )
        for sink in sinks
    ]
    stop = threading.Event()
    threads = [
        threading.Thread(target=pusher.run, args=(stop,), name=f"sink-{pusher.sink.id}", daemon=True)
        for pusher in pushers
    ]
    for thread in threads:
        thread.start()
    try:
        yield Pushing(pushers)
    finally:
        stop.set()
        for thread in threads:
            thread.join(_JOIN_S)
