# SPDX-License-Identifier: Apache-2.0
"""The escapes of JSON strings, resolved in a text that is not JSON: what a lenient reader would make of it."""

import re
from typing import Final

_ESCAPE: Final = re.compile(r"\\u([0-9a-fA-F]{4})|\\([bfnrt/\\\"])")
_CONTROLS: Final = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}


def resolved(text: str) -> str:
    """Return `text` with every escape replaced by its character; a surrogate becomes a replacement character."""
    return _ESCAPE.sub(_character, text) if "\\" in text else text


def _character(escape: re.Match[str]) -> str:
    if escape[1] is None:
        return _CONTROLS.get(escape[2], escape[2])
    code = int(escape[1], 16)
    return "\ufffd" if 0xD800 <= code <= 0xDFFF else chr(code)  # noqa: PLR2004 # the surrogates
