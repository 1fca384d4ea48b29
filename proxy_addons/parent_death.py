# SPDX-License-Identifier: Apache-2.0
"""Ties a child's life to its parent's, so that `kill -9` of a node leaves no process that serves or decides."""

import ctypes
import os
import signal
from typing import Final

_PR_SET_PDEATHSIG: Final = 1
# Loaded once, in the parent: between fork and exec a child must not load libraries.
_LIBC: Final = ctypes.CDLL(None, use_errno=True)


def die_with_parent(parent_pid: int) -> None:
    """Have the kernel kill this process when its parent `parent_pid` dies; exit at once if it is already dead.

    Call it in the child: at the start of its main, or as a `preexec_fn`. The signal is sent when the *thread* that
    forked ends, so parents fork from their main thread only.
    """
    if _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        os._exit(70)
    if os.getppid() != parent_pid:  # it died between fork and prctl: the signal will never come
        os._exit(70)
