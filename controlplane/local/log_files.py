# SPDX-License-Identifier: Apache-2.0
"""Bounds the log files of parts: each is the standard output of a process, which knows nothing of rotation.

Theory: parts append (`O_APPEND`), so that a file may be copied and cut to nothing under them, and no descriptor has to
be passed again. Lines written between copy and cut, some microseconds, are lost.
"""

import os
import shutil
from pathlib import Path
from typing import Final

LARGEST_BYTES: Final = 16 * 1024 * 1024
GENERATIONS: Final = 3


def rotate(log: Path, *, largest_bytes: int = LARGEST_BYTES, generations: int = GENERATIONS) -> bool:
    """Move what `log` holds to `log.1` if it is larger than `largest_bytes`; older ones up, the last one away.

    Raises OSError where it cannot.
    """
    if not log.exists() or log.stat().st_size <= largest_bytes:
        return False
    for number in range(generations - 1, 0, -1):
        older = _generation(log, number)
        if older.exists():
            older.replace(_generation(log, number + 1))
    try:
        shutil.copy(log, _generation(log, 1))  # with its mode: what only its owner could read stays so
    finally:
        os.truncate(log, 0)  # also on a full disk: else the log that filled it would go on doing so
    return True


def _generation(log: Path, number: int) -> Path:
    return log.with_name(f"{log.name}.{number}")
