# SPDX-License-Identifier: Apache-2.0
"""An archive as a zip or a folder: written in one pass, and read as what a stranger sent.

Nothing is ever unpacked to disk, so that a member's name leads nowhere. Memory is bounded: the directory of a zip to 2
MiB, a small file and a line to what their readers allow. What is no archive raises ArchiveUnreadable, whatever it is.
"""

import io
import os
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Final

from controlplane.audit.archive import ArchiveFile

MAX_FILES: Final = 20_000
MAX_DIRECTORY_BYTES: Final = 2 * 1024 * 1024
_PIECE_BYTES: Final = 1024 * 1024
_LONGEST_NAME: Final = 200
_LONGEST_TEXT: Final = 200
_READABLE: Final = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_ENCRYPTED: Final = 0x1
# What zipfile and zlib raise of bytes that somebody else wrote.
_UNREADABLE: Final = (
    zipfile.BadZipFile,
    zipfile.LargeZipFile,
    zlib.error,
    struct.error,
    EOFError,
    OSError,
    ValueError,
    RuntimeError,
    OverflowError,
    MemoryError,
)


class ArchiveUnreadable(Exception):
    """It is no archive, or a part of it cannot be read."""


def write_zip(target: IO[bytes], files: Iterable[ArchiveFile]) -> None:
    """Write `files` into a zip at `target`, which need not be able to go back. The same files give the same bytes."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        for name, pieces in files:
            member = zipfile.ZipInfo(name)
            member.compress_type = zipfile.ZIP_DEFLATED
            member.external_attr = 0o644 << 16
            with archive.open(member, "w", force_zip64=True) as file:
                for piece in pieces:
                    file.write(piece)


class Archive:
    """The files of an archive: `sizes` by name, as far as the archive says."""

    def __init__(self, sizes: dict[str, int], opener: Callable[[str], IO[bytes]]) -> None:
        self.sizes = sizes
        self._opener = opener

    def pieces(self, name: str) -> Iterator[bytes]:
        """Yield a file's content in pieces of at most 1 MiB. Raises ArchiveUnreadable where a part is damaged."""
        with _readable(name):
            file = self._opener(name)
        with file:
            while True:
                with _readable(name):
                    piece = file.read(_PIECE_BYTES)
                if not piece:
                    return
                yield piece

    def read(self, name: str, most: int) -> bytes:
        """Return a file of at most `most` bytes."""
        content = bytearray()
        for piece in self.pieces(name):
            content += piece
            if len(content) > most:
                msg = f"{name} has more than {most} bytes"
                raise ArchiveUnreadable(msg)
        return bytes(content)


@contextmanager
def open_archive(path: Path) -> Iterator[Archive]:
    """Open the zip or the folder at `path`. Raises ArchiveUnreadable where it is neither."""
    with ExitStack() as stack:
        with _readable("the archive"):
            if path.is_dir():
                sizes, opener = _folder(path)
            elif not path.is_file():
                # A pipe or a device may never end, and some give as much as is asked for.
                raise ValueError("it is neither a file nor a folder")
            else:
                file = stack.enter_context(_BoundedFile(path))
                archive = stack.enter_context(zipfile.ZipFile(file))
                sizes, opener = _members(archive, path.stat().st_size), archive.open
        yield Archive(sizes, opener)


@contextmanager
def _readable(what: str) -> Iterator[None]:
    try:
        yield
    except _UNREADABLE as exc:
        msg = f"{what} cannot be read ({type(exc).__name__}: {str(exc)[:_LONGEST_TEXT]})"
        raise ArchiveUnreadable(msg) from exc


def _folder(path: Path) -> tuple[dict[str, int], Callable[[str], IO[bytes]]]:
    sizes: dict[str, int] = {}
    for folder, _, names in os.walk(path):
        for name in names:
            found = Path(folder, name)
            status = found.lstat()
            # A link leads out of the archive, and a pipe would never end.
            if not stat.S_ISREG(status.st_mode):
                raise ValueError(f"{found.relative_to(path)} is not a plain file")
            _add(sizes, found.relative_to(path).as_posix(), status.st_size)
    return sizes, lambda name: (path / name).open("rb")


def _members(archive: zipfile.ZipFile, length: int) -> dict[str, int]:
    sizes: dict[str, int] = {}
    # Files that share their packed bytes would unpack to far more than a zip of this length can hold.
    if sum(member.compress_size for member in archive.infolist()) > length:
        raise ValueError("its files overlap")
    for member in archive.infolist():
        if member.is_dir():
            continue
        if member.flag_bits & _ENCRYPTED or member.compress_type not in _READABLE:
            raise ValueError(f"{member.filename[:_LONGEST_NAME]} is encrypted, or packed in an unusual way")
        _add(sizes, member.filename, member.file_size)
    return sizes


def _add(sizes: dict[str, int], name: str, size: int) -> None:
    """Note a file, whose name must be its only one: relative, without ways up, and nothing that hides in a terminal."""
    if len(name) > _LONGEST_NAME or not name.isprintable() or "\\" in name:
        raise ValueError("a file's name is too long, or has characters that no name of ours has")
    if any(part in {"", ".", ".."} for part in name.split("/")) or name in sizes:
        raise ValueError(f"a file is called {name}: twice, or in a way that leads out of the archive")
    if len(sizes) == MAX_FILES:
        raise ValueError(f"there are more than {MAX_FILES} files")
    sizes[name] = size


class _BoundedFile(io.FileIO):
    """A file of which only so much is read at once: zipfile takes a directory as large as its last bytes say."""

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > MAX_DIRECTORY_BYTES:
            raise ValueError("its directory is too large")
        return super().read(size)
