# SPDX-License-Identifier: Apache-2.0
"""Which requests a worker has under way, where they outlive the worker: a file beside its spool, mapped into memory.

Theory: what a process wrote to a mapping belongs to the kernel, and stays when the process is killed, however it was.
So a cell for each open request costs no system call, and tells whoever comes next which requests have no terminal
record. It is written before anything is known of a request, told more as more is known, and freed when the terminal
record is durable. A loss of power takes what the kernel had not written back; `sync` bounds that.

Rules: a cell's sections carry checksums, and those of a later section contain the earlier one's: half of a cell, or one
of the cell's request before, is never taken for whole. The file's blocks are allocated before they are mapped, since a
mapping on a full disk kills the process that writes to it. Used on the worker's event loop; `sync` on any thread.
"""

import mmap
import os
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

import structlog

from proxy_addons.durable import sync_directory

_log: Final = structlog.get_logger()

CELL_BYTES: Final = 1024
# A worker has some dozens of requests under way, so that the first block of cells is all that most will have.
_CELLS_AT_ONCE: Final = 256
_FREE, _OPEN, _ADMITTED = 0, 1, 2
_HEADER: Final = struct.Struct("<HI")  # length, checksum
# Where each section begins, and how many bytes its content may have.
_BEGUN_AT, _BEGUN_BYTES = 8, 146
_ASKED_AT, _ASKED_BYTES = 160, 426
_DECIDED_AT, _DECIDED_BYTES = 592, 426
_SUFFIX: Final = ".open"


class OpenRequests:
    """The table of one process. `boot` names it; MUST be unique in `directory`, which the process has locked."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor = -1
        self._cells: mmap.mmap | None = None
        self._count = 0
        self._free: list[int] = []
        self._by_request: dict[str, tuple[int, int]] = {}  # where its cell begins, and the checksum of what began it

    @classmethod
    def create(cls, directory: Path, *, boot: str) -> Self:
        """Return an empty table. On a full disk it has no cell, and asks for some with each request."""
        table = cls(directory / (boot + _SUFFIX))
        try:
            table._grow()
        except OSError as exc:
            _log.error("open_requests_not_kept", problem=exc.strerror)
        return table

    def __len__(self) -> int:
        return len(self._by_request)

    @property
    def path(self) -> Path:
        return self._path

    def begin(self, request_id: str, content: bytes) -> None:
        """Note a request. Raises OSError where there is no room for it: it must not go on."""
        if not self._free:
            self._grow()
        cells, at = self._mapped(), self._free[-1]
        sum_ = self._write(at + _BEGUN_AT, content[:_BEGUN_BYTES], 0)
        cells[at] = _OPEN
        self._free.pop()
        self._by_request[request_id] = at, sum_

    def asked(self, request_id: str, content: bytes) -> None:
        """Add who asks for what. What is too long is left out: the request is known without it."""
        known = self._by_request.get(request_id)
        if known is not None and len(content) <= _ASKED_BYTES:
            self._write(known[0] + _ASKED_AT, content, known[1])

    def decided(self, request_id: str, content: bytes) -> None:
        """Add by what it was decided."""
        known = self._by_request.get(request_id)
        if known is not None and len(content) <= _DECIDED_BYTES:
            self._write(known[0] + _DECIDED_AT, content, known[1])

    def admitted(self, request_id: str) -> None:
        """Add that its admission record is durable: bytes of the answer may have left."""
        known = self._by_request.get(request_id)
        if known is not None:
            self._mapped()[known[0]] = _ADMITTED

    def end(self, request_id: str) -> None:
        """Forget the request; a second time changes nothing."""
        known = self._by_request.pop(request_id, None)
        if known is not None:
            self._mapped()[known[0]] = _FREE
            self._free.append(known[0])

    def sync(self) -> None:
        """Return when the disk has the table as it is now, or when it is known that it has not."""
        if self._descriptor >= 0:
            try:
                os.fdatasync(self._descriptor)
            except OSError as exc:  # the spool, on the same disk, will say more
                _log.error("open_requests_not_synced", problem=exc.strerror)

    def close(self) -> None:
        """Give the file back: with requests in it, it stays for whoever records what became of them."""
        if self._cells is not None:
            self._cells.close()
            self._cells = None
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
            if not self._by_request:
                self._path.unlink(missing_ok=True)

    def _write(self, at: int, content: bytes, before: int) -> int:
        cells, sum_ = self._mapped(), zlib.crc32(content, before)
        begin = at + _HEADER.size
        cells[begin : begin + len(content)] = content
        _HEADER.pack_into(cells, at, len(content), sum_)
        return sum_

    def _mapped(self) -> mmap.mmap:
        if self._cells is None:
            raise OSError("there is no table of open requests")
        return self._cells

    def _grow(self) -> None:
        """Add cells. Raises OSError; what was there before stays."""
        if self._descriptor < 0:
            flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
            self._descriptor = os.open(self._path, flags, 0o600)
            sync_directory(self._path.parent)
        size = self._count * CELL_BYTES
        larger = size + _CELLS_AT_ONCE * CELL_BYTES
        os.posix_fallocate(self._descriptor, size, larger - size)
        mapped = mmap.mmap(self._descriptor, larger)
        if self._cells is not None:
            self._cells.close()
        self._cells = mapped
        self._count += _CELLS_AT_ONCE
        self._free += range(larger - CELL_BYTES, size - CELL_BYTES, -CELL_BYTES)


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOpen:
    """A cell that nobody freed. `asked` and `decided` are empty where the process did not come so far."""

    begun: bytes
    asked: bytes
    decided: bytes
    admitted: bool


def tables_left(directory: Path) -> list[Path]:
    """Return the tables in `directory`: where nobody has locked it, of processes that did not end in order."""
    return sorted(directory.glob("*" + _SUFFIX))


def read_table(path: Path) -> Iterator[LeftOpen]:
    """Give the requests of a table that nobody writes to any more."""
    content = path.read_bytes()
    for at in range(0, len(content) - CELL_BYTES + 1, CELL_BYTES):
        state = content[at]
        begun = _section(content, at + _BEGUN_AT, _BEGUN_BYTES, 0) if state in {_OPEN, _ADMITTED} else None
        if begun is None:
            continue  # free, or its process died while it wrote: nothing was done for that request yet
        sum_ = zlib.crc32(begun)
        yield LeftOpen(
            begun=begun,
            asked=_section(content, at + _ASKED_AT, _ASKED_BYTES, sum_) or b"",
            decided=_section(content, at + _DECIDED_AT, _DECIDED_BYTES, sum_) or b"",
            admitted=state == _ADMITTED,
        )


def _section(content: bytes, at: int, longest: int, before: int) -> bytes | None:
    length, sum_ = _HEADER.unpack_from(content, at)
    if not 0 < length <= longest:
        return None
    found = content[at + _HEADER.size : at + _HEADER.size + length]
    return found if zlib.crc32(found, before) == sum_ else None
