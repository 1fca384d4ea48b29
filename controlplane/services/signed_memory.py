# SPDX-License-Identifier: Apache-2.0
"""What a server remembers of its own signatures, apart from the database.

Theory: whoever puts an older copy of the database back takes the newest checkpoints away together with the entries, so
that nothing in it contradicts anything. A log signed on from there would be another one with the same beginning, and
two checkpoints of one size. So the last one is kept beside the key, too, and what is started from is compared with it.
"""

import contextlib
import os
import tempfile
from pathlib import Path
from typing import Final, Protocol
from urllib.parse import quote

import structlog

from controlplane.audit.checkpoints import SignedCheckpoint, open_checkpoint
from controlplane.audit.note_keys import VerifierKey
from controlplane.audit.notes import NoteMalformed, NoteNotSigned
from controlplane.services.log_state import LogAltered

_LARGEST: Final = 128 * 1024

_log: Final = structlog.get_logger("gatehouse.log")


class SignedMemory(Protocol):
    def recall(self, tenant: str, key: VerifierKey) -> SignedCheckpoint | None:
        """Return the last checkpoint that `key` signed here. Raises LogAltered where what is kept is none of its."""

    def keep(self, tenant: str, note: str) -> None:
        """Remember the checkpoint from now on, also over a restart. Never raises: a log is signed without, and said."""


class Forgetful:
    """Remembers nothing: for who has no place to keep it."""

    def recall(self, tenant: str, key: VerifierKey) -> SignedCheckpoint | None:  # noqa: ARG002  # as said
        return None

    def keep(self, tenant: str, note: str) -> None:
        """Forget it."""


class SignedFolder:
    """A file for each log in `folder`, exchanged as a whole."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._kept: dict[str, str] = {}
        self._failing = False

    def recall(self, tenant: str, key: VerifierKey) -> SignedCheckpoint | None:
        path = self._path(tenant)
        try:
            with path.open("rb") as file:
                held = file.read(_LARGEST)
        except FileNotFoundError:
            return None
        except OSError as exc:
            raise LogAltered(f"{path}, the last checkpoint signed here, cannot be read ({exc.strerror})") from exc
        try:
            return open_checkpoint(held, [key])
        except (NoteMalformed, NoteNotSigned) as exc:
            raise LogAltered(f"{path} is no checkpoint that this log's key signed ({exc})") from exc

    def keep(self, tenant: str, note: str) -> None:
        body = note.partition("\n\n")[0]  # origin, size and root, without the signatures and their times
        if self._kept.get(tenant) == body:
            return
        try:
            self._write(self._path(tenant), note.encode())
        except OSError as exc:
            if not self._failing:
                _log.warning("signed_checkpoint_not_kept", folder=str(self._folder), problem=exc.strerror)
            self._failing = True
        else:
            self._kept[tenant] = body
            self._failing = False

    def _path(self, tenant: str) -> Path:
        return self._folder / f"{quote(tenant, safe='')}.checkpoint"

    def _write(self, path: Path, content: bytes) -> None:
        self._folder.mkdir(mode=0o700, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(dir=self._folder, prefix=".")
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            Path(temporary).replace(path)
        except BaseException:
            with contextlib.suppress(OSError):
                Path(temporary).unlink()
            raise
