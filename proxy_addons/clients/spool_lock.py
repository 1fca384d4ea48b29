# SPDX-License-Identifier: Apache-2.0
"""The right to write to a spool's directory: two processes never have it at once."""

import fcntl
import os
from contextlib import suppress
from pathlib import Path

from proxy_addons.durable import private_directory


class SpoolBusy(Exception):
    """Another process writes to the directory."""


class SpoolLock:
    """Makes `directory` and holds it. Raises SpoolBusy, OSError."""

    def __init__(self, directory: Path) -> None:
        self._path = private_directory(directory) / "lock"
        self._descriptor = self._taken()

    def hold_again(self) -> None:
        """Make and take the directory anew where somebody deleted it. Raises SpoolBusy, OSError."""
        try:
            kept = os.path.samestat(os.fstat(self._descriptor), self._path.stat())
        except FileNotFoundError:
            kept = False
        if not kept:
            private_directory(self._path.parent)
            descriptor = self._taken()
            self.close()
            self._descriptor = descriptor

    def close(self) -> None:
        with suppress(OSError):  # the descriptor is gone all the same, and with it the lock
            os.close(self._descriptor)

    def _taken(self) -> int:
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as exc:
            os.close(descriptor)
            raise SpoolBusy(f"another process writes to {self._path.parent}") from exc
        except OSError:
            os.close(descriptor)
            raise
        return descriptor
