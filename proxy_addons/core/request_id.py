# SPDX-License-Identifier: Apache-2.0
"""Request ids: `req_` and a ULID, so that they sort by time and cannot be guessed."""

import secrets
from typing import Final

_CROCKFORD: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_LENGTH: Final = 26
_RANDOM_BITS: Final = 80


def new_request_id(unix_ms: int) -> str:
    """Return a new id for a request that arrived `unix_ms` milliseconds after the epoch."""
    number = unix_ms << _RANDOM_BITS | secrets.randbits(_RANDOM_BITS)
    return "req_" + "".join(_CROCKFORD[number >> shift & 31] for shift in range((_LENGTH - 1) * 5, -1, -5))
