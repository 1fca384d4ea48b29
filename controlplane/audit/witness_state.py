# SPDX-License-Identifier: Apache-2.0
"""A witness's memory: a folder with its key and, for each log, the last note that it cosigned.

Rules: one process at a time, held by a lock on the folder. A note is written beside the old one, made durable, and put
in its place; only then is the signature in it given out. A file that is not what this witness wrote ends it, because
to begin anew would be to forget.
"""

import fcntl
import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO, Final, Self

from controlplane.audit.checkpoints import SignedCheckpoint, open_checkpoint
from controlplane.audit.note_keys import KeyKind, KeyMalformed, SignerKey, VerifierKey
from controlplane.audit.notes import NoteMalformed, NoteNotSigned

# Each is evidence, and one is enough: a log that contradicts itself cannot fill the disk.
MAX_CONTRADICTIONS: Final = 100
_MODE: Final = 0o600


class StateUnusable(Exception):
    """The folder cannot be used; the text says which file and why."""


class StateFolder:
    """`controlplane.audit.witness.WitnessState` in a folder."""

    def __init__(self, folder: Path, lock: BinaryIO, key: SignerKey, logs: Sequence[VerifierKey]) -> None:
        self._folder = folder
        self._lock = lock
        self.key = key
        self._last = {log.name: self._read(log.name, logs) for log in logs}

    @classmethod
    def open(cls, folder: Path, *, key_file: Path | None, name: str, logs: Sequence[VerifierKey]) -> Self:
        """Open `folder`, which is made with a key called `name` where it is not there. Raises StateUnusable."""
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = (folder / "lock").open("ab")
        except OSError as exc:
            raise StateUnusable(f"{folder} cannot be used ({exc.strerror})") from exc
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return cls(folder, lock, _key(key_file or folder / "witness.key", name), logs)
        except BlockingIOError as exc:
            lock.close()
            raise StateUnusable(f"another witness works in {folder}") from exc
        except BaseException:
            lock.close()
            raise

    def close(self) -> None:
        """Give the folder back."""
        self._lock.close()

    def last(self, origin: str) -> SignedCheckpoint | None:
        return self._last[origin]

    def keep(self, note: bytes, signed: SignedCheckpoint) -> None:
        origin = signed.checkpoint.origin
        _write_durably(self._file(origin), note)
        self._last[origin] = signed

    def keep_contradiction(self, origin: str, note: bytes) -> None:
        folder = self._folder / "contradictions"
        folder.mkdir(mode=0o700, exist_ok=True)
        file = folder / f"{self._file(origin).stem}-{hashlib.sha256(note).hexdigest()[:16]}.checkpoint"
        if not file.exists() and sum(1 for _ in folder.iterdir()) < MAX_CONTRADICTIONS:
            _write_durably(file, note)

    def _file(self, origin: str) -> Path:
        return self._folder / f"{hashlib.sha256(origin.encode()).hexdigest()}.checkpoint"

    def _read(self, origin: str, logs: Sequence[VerifierKey]) -> SignedCheckpoint | None:
        file = self._file(origin)
        try:
            signed = open_checkpoint(file.read_bytes(), logs, [self.key.verifier])
        except FileNotFoundError:
            return None
        except (OSError, NoteMalformed, NoteNotSigned) as exc:
            raise StateUnusable(
                f"{file} is not the last checkpoint of {origin} ({exc}): put it back, or give up the key"
            ) from exc
        if signed.checkpoint.origin != origin or not signed.witnesses:
            raise StateUnusable(f"{file} is not a checkpoint of {origin} that this witness cosigned")
        return signed


def _key(file: Path, name: str) -> SignerKey:
    try:
        text = file.read_text()
    except FileNotFoundError:
        return _new_key(file, name)
    except (OSError, UnicodeDecodeError) as exc:
        raise StateUnusable(f"{file} cannot be read ({type(exc).__name__})") from exc
    try:
        key = SignerKey.parse(text)
    except KeyMalformed as exc:
        raise StateUnusable(f"{file} is no key: {exc}") from exc
    if key.kind is not KeyKind.COSIGNATURE:
        raise StateUnusable(f"{file} is a log's key: a witness has one of its own, of type 4")
    return key


def _new_key(file: Path, name: str) -> SignerKey:
    try:
        key = SignerKey.generate(name, KeyKind.COSIGNATURE)
        _write_durably(file, f"{key.to_text()}\n".encode())
    except KeyMalformed as exc:
        raise StateUnusable(f"the witness cannot be called {name!r}: {exc}") from exc
    except OSError as exc:
        raise StateUnusable(f"{file} cannot be written ({exc.strerror})") from exc
    return key


def _write_durably(file: Path, content: bytes) -> None:
    """Put `content` in the place of `file`: after a power cut there is the old file or the new one, whole."""
    beside = file.with_name(f"{file.name}.new")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, _MODE)
    with open(descriptor, "wb") as opened:  # noqa: PTH123 # a descriptor with its own mode
        opened.write(content)
        opened.flush()
        os.fsync(descriptor)
    beside.replace(file)
    folder = os.open(file.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
