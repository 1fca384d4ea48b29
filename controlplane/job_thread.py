# SPDX-License-Identifier: Apache-2.0
"""The one thread of a process that does long jobs, beside those that answer requests."""

import contextlib
import threading
import time
from collections.abc import Iterator
from typing import Final

import structlog

from controlplane.bootstrap import ControlPlane
from controlplane.services.errors import StoreUnavailable

# How soon a job is taken up that another process was asked for, or whose process died.
_LOOK_EVERY_S: Final = 2.0
_TIDY_EVERY_S: Final = 60.0
# A slice, or a file's way to the disk. What is not done by then is done again from its start by another process.
_STOP_WITHIN_S: Final = 5.0

_log = structlog.get_logger("gatehouse.jobs")


@contextlib.contextmanager
def job_thread(plane: ControlPlane) -> Iterator[None]:
    """Do jobs for as long as the context is open."""
    wanted, closing = threading.Event(), threading.Event()
    plane.asked_bell.listen(wanted.set)

    def work() -> None:
        tidied_at = -_TIDY_EVERY_S
        while not closing.is_set():
            is_due = time.monotonic() - tidied_at >= _TIDY_EVERY_S
            tidied_at = time.monotonic() if is_due else tidied_at
            if not _work_one(plane, tidy=is_due):
                wanted.wait(_LOOK_EVERY_S)
                wanted.clear()

    thread = threading.Thread(target=work, name="jobs", daemon=True)
    thread.start()
    try:
        yield
    finally:
        closing.set()
        wanted.set()
        plane.jobs.stop()
        thread.join(_STOP_WITHIN_S)


def _work_one(plane: ControlPlane, *, tidy: bool) -> bool:
    try:
        if tidy:
            plane.jobs.tidy()
        return plane.jobs.work_one()
    except StoreUnavailable:
        return False
    except Exception as exc:  # noqa: BLE001  # nobody would start the thread again
        _log.error("jobs_failed", error=type(exc).__name__)
        return False
