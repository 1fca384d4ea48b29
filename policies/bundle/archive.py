# SPDX-License-Identifier: Apache-2.0
"""The gzip tar of a bundle: written so that equal content is equal bytes, read within bounds.

Facts: gzip and tar both carry times, owners and modes; all are fixed here, so that the ETag of a release at a serial
never changes. A reader that trusts an archive's own figures can be made to fill the memory: every size is counted.
"""

import gzip
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

_MODE: Final = 0o644
_BLOCK: Final = 512
# Relative, no empty part, none that begins with a dot but for the two names OPA gives to its own files.
_NAME: Final = re.compile(
    r"(?:\.manifest|\.signatures\.json|[A-Za-z0-9_][A-Za-z0-9_.-]*(?:/[A-Za-z0-9_][A-Za-z0-9_.-]*)*)"
)


def write_archive(members: Mapping[str, bytes]) -> bytes:
    """Return `members`, by name, as gzip tar: the same bytes for the same members."""
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name in sorted(members, key=str.encode):
            header = tarfile.TarInfo(name)
            header.size = len(members[name])
            header.mode = _MODE
            tar.addfile(header, io.BytesIO(members[name]))
    return gzip.compress(plain.getvalue(), compresslevel=9, mtime=0)


def read_archive(raw: bytes) -> dict[str, bytes]:
    """Return the members of a gzip tar. Raises BundleRejected `bundle-unreadable` for what is out of bounds or form."""
    plain = _unpack(raw)
    members: dict[str, bytes] = {}
    try:
        with tarfile.open(fileobj=io.BytesIO(plain), mode="r:") as tar:
            for header in tar:
                if len(members) >= MAX_MEMBERS:
                    raise BundleRejected("bundle-unreadable", f"it has more than {MAX_MEMBERS} members")
                if not header.isreg() or header.issparse() or not _NAME.fullmatch(header.name):
                    raise BundleRejected("bundle-unreadable", "a member is not a regular file with a plain name")
                if header.name in members:
                    raise BundleRejected("bundle-unreadable", "a name occurs twice")
                file = tar.extractfile(header)
                content = b"" if file is None else file.read()
                if len(content) != header.size:
                    raise BundleRejected("bundle-unreadable", "a member is cut off")
                members[header.name] = content
            end = tar.offset
    except (tarfile.TarError, ValueError, OverflowError, RecursionError) as exc:
        raise BundleRejected("bundle-unreadable", "it is not a tar archive") from exc
    # What stands behind the end no reader of tar sees, but another reader might.
    if plain[end:].strip(b"\0") or len(plain) % _BLOCK:
        raise BundleRejected("bundle-unreadable", "something stands behind the archive's end")
    return members


def _unpack(raw: bytes) -> bytes:
    if len(raw) > MAX_PACKED_BYTES:
        raise BundleRejected("bundle-unreadable", f"it has more than {MAX_PACKED_BYTES} bytes")
    inflate = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    try:
        plain = inflate.decompress(raw, MAX_UNPACKED_BYTES + 1)
    except zlib.error as exc:
        raise BundleRejected("bundle-unreadable", "it is not gzip") from exc
    if len(plain) > MAX_UNPACKED_BYTES:
        raise BundleRejected("bundle-unreadable", f"it has more than {MAX_UNPACKED_BYTES} bytes unpacked")
    if not inflate.eof or inflate.unused_data:
        raise BundleRejected("bundle-unreadable", "the gzip stream is cut off, or followed by something")
    return plain
