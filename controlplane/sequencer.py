# SPDX-License-Identifier: Apache-2.0
"""The sequencer beside the API: its threads, its connection to the database, its clean end."""

import functools
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Final

import structlog

from controlplane.services.sequencing import Sequencer
from controlplane.services.witnesses import Witness, Witnessing
from controlplane.witness_client import WitnessClient

# A signature takes milliseconds; the first look at a log of millions of entries is ended between two of its tiles.
_STOP_WITHIN_S: Final = 10.0
_AGAIN_AFTER_S: Final = 2.0

_log = structlog.get_logger("gatehouse.log")


@contextmanager
def sequencing(sequencer: Sequencer, witnesses: tuple[Witness, ...]) -> Iterator[None]:
    """Sign while the context is open, whenever no other process does."""
    stop = threading.Event()
    with ExitStack() as stack:
        threads = [threading.Thread(target=_keep_on, args=(sequencer.run, stop), name="sequencer", daemon=True)]
        if witnesses:
            asking = Witnessing(store=sequencer.store, witnesses=witnesses, ask=stack.enter_context(WitnessClient()))
            ask = functools.partial(asking.run, leads=lambda: sequencer.leads)
            threads.append(threading.Thread(target=_keep_on, args=(ask, stop), name="witnesses", daemon=True))
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            stop.set()
            for thread in threads:
                thread.join(_STOP_WITHIN_S)
                if thread.is_alive():
                    _log.error("sequencer_not_stopped", thread=thread.name)


def _keep_on(work: Callable[[threading.Event], None], stop: threading.Event) -> None:
    """Do `work` until `stop` is set, whatever it raises: a thread that ended unseen would leave the log unsigned."""
    while not stop.is_set():
        try:
            work(stop)
        except Exception as exc:  # noqa: BLE001  # as said; the type only, a driver's text may hold what was stored
            _log.error("sequencer_failed", thread=threading.current_thread().name, error=type(exc).__name__)
            stop.wait(_AGAIN_AFTER_S)
