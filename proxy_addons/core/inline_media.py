# SPDX-License-Identifier: Apache-2.0
"""Checks of images and sound that stand in a body themselves: what they say they are, they are, and nothing is fetched.

Rules: a reference of any scheme but `data:` is refused, since whoever resolved it could be sent to an address of the
client's choice, with redirects, DNS or odd spellings of an IP. A `data:` URL has one media type of a short list, no
parameters, strict base64, and content that begins as that type begins. SVG is not in the list: it is a program.
"""

import binascii
import re
from typing import Any, Final

from proxy_addons.core.refused import Refused
from proxy_addons.core.unknown_fields import Reading

_INVALID: Final = "field-invalid"
# What servers of the protocol take at most for one image; the limit of the whole body is usually tighter.
_MAX_BASE64_CHARS: Final = 28 * 1024 * 1024
_DATA_URL: Final = re.compile(r"data:(image/(?:png|jpeg|gif|webp));base64,")
_BEGINS: Final = {
    "image/png": re.compile(rb"\x89PNG\r\n\x1a\n"),
    "image/jpeg": re.compile(rb"\xff\xd8\xff"),
    "image/gif": re.compile(rb"GIF8[79]a"),
    "image/webp": re.compile(rb"RIFF....WEBP", re.DOTALL),
}


def image_url(value: Any, _reading: Reading) -> None:
    """Take an image as a `data:` URL. Raises Refused."""
    if not isinstance(value, str):
        raise Refused(_INVALID)
    if not value.startswith("data:"):
        raise Refused("remote-url-not-permitted")
    head = _DATA_URL.match(value)
    if head is None or not _BEGINS[head[1]].match(_decoded(value[head.end() :])):
        raise Refused(_INVALID)


def audio_data(value: Any, _reading: Reading) -> None:
    """Take sound as base64. Raises Refused."""
    if not isinstance(value, str) or not _decoded(value):
        raise Refused(_INVALID)


def _decoded(text: str) -> bytes:
    if len(text) > _MAX_BASE64_CHARS or not text.isascii():
        raise Refused(_INVALID)
    try:
        return binascii.a2b_base64(text, strict_mode=True)
    except binascii.Error:
        raise Refused(_INVALID) from None
