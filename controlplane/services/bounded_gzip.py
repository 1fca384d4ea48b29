# SPDX-License-Identifier: Apache-2.0
"""Unpack gzip that a stranger sent: never more than a bound, whatever it claims."""

import zlib
from typing import Final

from controlplane.services.errors import Invalid
from controlplane.services.ingestion import TooLarge

_GZIP_WINDOW: Final = 16 + zlib.MAX_WBITS


def gunzip(packed: bytes, *, largest: int) -> bytes:
    """Return the content of one gzip member. Raises TooLarge beyond `largest` bytes, Invalid where it is not one."""
    unpacker = zlib.decompressobj(_GZIP_WINDOW)
    try:
        content = unpacker.decompress(packed, largest + 1)
    except zlib.error as exc:
        raise Invalid("body-not-gzip", "The body is not gzip.") from exc
    if len(content) > largest:
        raise TooLarge("body-too-large", f"Unpacked, the body has more than {largest} bytes.")
    if not unpacker.eof or unpacker.unused_data:
        raise Invalid("body-not-gzip", "The body is not one whole gzip member.")
    return content
