# SPDX-License-Identifier: Apache-2.0
"""Gzip tar in one form only: the bytes depend on nothing but the members.

Theory: a reader that takes only what the writer would have written needs no rule against links, traversal, duplicate
or padded members, nor against tar dialects that two readers see differently. It unpacks under a limit, reads the
members, packs them again and compares. Only the compressed form of the content may vary, as zlib versions do.
"""

import io
import re
import tarfile
import zlib
from collections.abc import Mapping
from typing import Final

from policies.contracts.errors import BundleRejected

MAX_PACKED_BYTES: Final = 64 * 1024 * 1024
MAX_UNPACKED_BYTES: Final = 256 * 1024 * 1024
MAX_MEMBERS: Final = 10_000

_NAME: Final = re.compile(r"[A-Za-z0-9._-]{1,90}(/[A-Za-z0-9._-]{1,90}){0,3}")
# Deflate, no flags, no time, best compression, made on Unix: what this module writes, whatever zlib it runs on.
_GZIP_HEADER: Final = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03"


def pack_members(members: Mapping[str, bytes]) -> bytes:
    """Return the gzip tar of `members`, by name. The same members give the same bytes."""
    return _compress(_tar(members))


def read_members(raw: bytes) -> dict[str, bytes]:
    """Return the members of a gzip tar, by name. Raises BundleRejected for anything but the form of `pack_members`."""
    if not raw.startswith(_GZIP_HEADER):
        raise _unreadable("it is not gzip as bundles have it")
    unpacked = inflated(raw)
    members: dict[str, bytes] = {}
    try:
        with tarfile.open(fileobj=io.BytesIO(unpacked), mode="r:") as archive:
            for member in archive:
                if len(members) == MAX_MEMBERS:
                    raise _unreadable(f"it has more than {MAX_MEMBERS} members")
                if not member.isreg() or member.name in members or not _is_canonical(member.name):
                    raise _unreadable("a member is not a regular file with a canonical name of its own")
                content = archive.extractfile(member)
                members[member.name] = content.read() if content else b""
    except (tarfile.TarError, ValueError, OverflowError, EOFError, OSError, RecursionError):
        # tarfile reads each header of a long name within that of the one before: a long row of them has no end.
        raise _unreadable("it is not a tar") from None
    if _tar(members) != unpacked:
        raise _unreadable("its tar is not in the one form that bundles have")
    return members


def _is_canonical(name: str) -> bool:
    return _NAME.fullmatch(name) is not None and not {".", ".."}.intersection(name.split("/"))


def _tar(members: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name in sorted(members):
            member = tarfile.TarInfo(name)  # its defaults: a regular file of uid 0, gid 0, mtime 0, mode 0644
            member.size = len(members[name])
            archive.addfile(member, io.BytesIO(members[name]))
    return buffer.getvalue()


def _compress(content: bytes) -> bytes:
    deflate = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    trailer = zlib.crc32(content).to_bytes(4, "little") + (len(content) & 0xFFFFFFFF).to_bytes(4, "little")
    return _GZIP_HEADER + deflate.compress(content) + deflate.flush() + trailer


def inflated(raw: bytes) -> bytes:
    """Return what one gzip stream holds, under the limits of bundles. Raises BundleRejected."""
    if len(raw) > MAX_PACKED_BYTES:
        raise _unreadable(f"it has more than {MAX_PACKED_BYTES} bytes")
    inflate = zlib.decompressobj(16 + zlib.MAX_WBITS)
    try:
        content = inflate.decompress(raw, MAX_UNPACKED_BYTES + 1)
    except zlib.error:
        raise _unreadable("its gzip is broken") from None
    if len(content) > MAX_UNPACKED_BYTES:
        raise _unreadable(f"it unpacks to more than {MAX_UNPACKED_BYTES} bytes")
    if not inflate.eof or inflate.unused_data or inflate.unconsumed_tail:
        raise _unreadable("its gzip is cut off, or something follows it")
    return content


def _unreadable(problem: str) -> BundleRejected:
    return BundleRejected("bundle-unreadable", f"the bundle cannot be read: {problem}")
