# SPDX-License-Identifier: Apache-2.0
"""The sequencer beside the API: its threads, its connection to the database, its clean end."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Final

import structlog

from controlplane.services.sequencing import Sequencer
from controlplane.services.witnesses import Witness, Witnessing
from controlplane.witness_client import WitnessClient

# A signature takes milliseconds; the first look at a log of millions of entries is ended between two of its tiles.
_STOP_WITHIN_S: Final = 10.0

_log = structlog.get_logger("gatehouse.log")


@contextmanager
def sequencing(sequencer: Sequencer, witnesses: tuple[Witness, ...]) -> Iterator[None]:
    """Sign while the context is open, whenever no other process does."""
    stop = threading.Event()
    with ExitStack() as stack:
        threads = [threading.Thread(target=sequencer.run, args=(stop,), name="sequencer", daemon=True)]
        if witnesses:
            asking = Witnessing(store=sequencer.store, witnesses=witnesses, ask=stack.enter_context(WitnessClient()))
            threads.append(
                threading.Thread(target=asking.run, args=(stop, lambda: sequencer.leads), name="witnesses", daemon=True)
            )
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
