# SPDX-License-Identifier: Apache-2.0
"""The thread that conducts activations beside those that answer requests. Every replica has one."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import structlog

from controlplane.services.conducting import Conducting
from controlplane.services.errors import StoreUnavailable

# A look at the rows that are open, of which there are few. Deadlines are whole seconds, so that this is soon enough.
EVERY_S: Final = 0.5
_ADOPT_EVERY_S: Final = 60.0
_STOPPED_WITHIN_S: Final = 10.0

_log = structlog.get_logger("gatehouse.conductor")


@contextmanager
def conductor(conducting: Conducting, *, every_s: float = EVERY_S) -> Iterator[None]:
    """Take every step that is due, until the block ends."""
    stopped = threading.Event()
    thread = threading.Thread(target=_run, args=(conducting, every_s, stopped), name="conductor", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join(_STOPPED_WITHIN_S)


def _run(conducting: Conducting, every_s: float, stopped: threading.Event) -> None:
    adopted_at = -_ADOPT_EVERY_S
    while True:
        try:
            if time.monotonic() - adopted_at >= _ADOPT_EVERY_S:
                conducting.adopt()
                adopted_at = time.monotonic()
            # One step often makes the next one due: they are taken without a pause.
            while conducting.go_on() and not stopped.is_set():
                pass
        except StoreUnavailable as exc:
            _log.warning("conductor_put_off", problem=str(exc))
        except Exception as exc:  # noqa: BLE001  # nobody would start the thread again, and its text may hold content
            _log.error("conductor_failed", error=type(exc).__name__)
        if stopped.wait(every_s):
            return
