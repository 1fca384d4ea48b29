# SPDX-License-Identifier: Apache-2.0
"""Cursors: where the next page of one particular list begins.

A cursor is signed and bound to the list it was given for: its path, filters, order and tenant. Used with another
question it is refused, because it would silently skip or repeat items there.
"""

import base64
import binascii
import hashlib
import hmac
import json
from dataclasses import dataclass
from typing import Final

from controlplane.services.errors import Invalid, Problem
from policies.contracts.codec import JSON, canonical_bytes

_MAC_BYTES: Final = 16
_LONGEST: Final = 1024


@dataclass(frozen=True, slots=True)
class Cursors:
    """Gives and reads cursors, signed with `key`."""

    key: bytes

    def give(self, position: JSON, *, of: JSON) -> str:
        """Return the cursor of `position` in the list that `of` describes."""
        content = canonical_bytes(position)
        return _text(self._mac(content, of) + content)

    def read(self, cursor: str, *, of: JSON) -> JSON:
        """Return the position. Raises Invalid for a cursor that was not given for the list that `of` describes."""
        try:
            raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            raw = b""
        mac, content = raw[:_MAC_BYTES], raw[_MAC_BYTES:]
        # The last character may have bits that nobody reads: of all that decode to the same, one was given.
        if (
            len(cursor) > _LONGEST
            or not content
            or _text(raw) != cursor
            or not hmac.compare_digest(mac, self._mac(content, of))
        ):
            fix = "Start again without cursor, or ask with the filters that the first page was asked with."
            raise Invalid(
                "cursor-invalid",
                "The cursor does not belong to this list with these filters.",
                problems=(Problem(code="cursor-invalid", message="Not a cursor of this list.", fix=fix),),
            )
        position: JSON = json.loads(content)
        return position

    def _mac(self, content: bytes, of: JSON) -> bytes:
        bound = hashlib.sha256(canonical_bytes(of)).digest()
        return hmac.new(self.key, bound + content, hashlib.sha256).digest()[:_MAC_BYTES]


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")
