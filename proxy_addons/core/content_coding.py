# SPDX-License-Identifier: Apache-2.0
"""Decodes the content coding of a request body, bounded, and refuses what two decoders could read differently.

Facts: `gzip` is exactly one member (RFC 1952) and `deflate` the zlib format (RFC 9110 says so; some servers also take
raw deflate, which is refused). Bytes behind the end, a second member, a cut end, a preset dictionary or a wrong
checksum are refused. What is forwarded is not encoded, so that no further decoder is asked.
"""

import zlib
from typing import Final

from policies.contracts.snapshot import Encoding
from proxy_addons.core.refused import Refused

_WINDOW_BITS: Final = {Encoding.GZIP: 16 + zlib.MAX_WBITS, Encoding.DEFLATE: zlib.MAX_WBITS}


def decoded(body: bytes, encoding: Encoding, *, max_bytes: int) -> bytes:
    """Return the content of `body`. Raises Refused where it is more than `max_bytes` or not of `encoding`.

    No more than `max_bytes` and one byte are ever made, whatever the body would become.
    """
    decoder = zlib.decompressobj(wbits=_WINDOW_BITS[encoding])
    try:
        content = decoder.decompress(body, max_bytes + 1)
    except zlib.error:
        raise Refused("body-not-decodable") from None
    if len(content) > max_bytes:
        raise Refused("body-too-large")
    if not decoder.eof or decoder.unused_data:
        raise Refused("body-not-decodable")
    return content
