# SPDX-License-Identifier: Apache-2.0
"""What the control plane does by itself, every minute: make room for days to come, carry on with erasures, retain.

Every replica does it. Each piece of work locks what it works on and looks again, so that two at once are slow and no
harm.
"""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Final

import structlog

from controlplane.services.errors import StoreUnavailable

EVERY_S: Final = 60.0
_STOPPED_WITHIN_S: Final = 10.0

_log = structlog.get_logger("gatehouse.housekeeping")


@contextmanager
def housekeeping(tasks: Mapping[str, Callable[[], None]], *, every_s: float = EVERY_S) -> Iterator[None]:
    """Run every task at once and then every `every_s`, in a thread of its own, until the block ends."""
    stopped = threading.Event()
    thread = threading.Thread(target=_run, args=(tasks, every_s, stopped), name="housekeeping", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join(_STOPPED_WITHIN_S)


def _run(tasks: Mapping[str, Callable[[], None]], every_s: float, stopped: threading.Event) -> None:
    while True:
        for name, task in tasks.items():
            if stopped.is_set():
                return
            try:
                task()
            except StoreUnavailable as exc:
                _log.warning("housekeeping_put_off", task=name, problem=str(exc))
            except Exception as exc:  # noqa: BLE001  # one task that fails must not end the others, nor the thread
                _log.error("housekeeping_failed", task=name, error=type(exc).__name__)  # its text may hold content
        if stopped.wait(every_s):
            return
