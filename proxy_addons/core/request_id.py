# SPDX-License-Identifier: Apache-2.0
"""Ids that sort by time and cannot be guessed (ULIDs), and salts.

Theory: a system call for each would take longer than all else about them, so that random bytes are fetched in blocks.
`list.pop` gives each piece to one caller only, whatever its thread; a child process forgets what its parent holds.
"""

import os
from typing import Final

_CROCKFORD: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
# For 10 bits of the time at once.
_PAIRS: Final = tuple(high + low for high in _CROCKFORD for low in _CROCKFORD)
# For a random byte. 256 is a multiple of 32: each digit comes of equally many bytes.
_DIGITS: Final = (_CROCKFORD * 8).encode()
_RANDOM_DIGITS: Final = 16
_PIECES: Final = 128

_pieces: Final[list[bytes]] = []
os.register_at_fork(after_in_child=_pieces.clear)


def new_ulid(unix_ms: int) -> str:
    """Return a ULID of `unix_ms` milliseconds after the epoch: 48 bits of time, 80 random ones."""
    return (
        _PAIRS[unix_ms >> 40 & 1023]
        + _PAIRS[unix_ms >> 30 & 1023]
        + _PAIRS[unix_ms >> 20 & 1023]
        + _PAIRS[unix_ms >> 10 & 1023]
        + _PAIRS[unix_ms & 1023]
        + _random_piece().translate(_DIGITS).decode("ascii")
    )


def new_request_id(unix_ms: int) -> str:
    """Return a new id for a request that arrived `unix_ms` milliseconds after the epoch."""
    return "req_" + new_ulid(unix_ms)


def new_salt() -> str:
    """Return 128 random bits in hexadecimal."""
    return _random_piece().hex()


def _random_piece() -> bytes:
    try:
        return _pieces.pop()
    except IndexError:
        block = os.urandom(_PIECES * _RANDOM_DIGITS)
        _pieces.extend(block[at : at + _RANDOM_DIGITS] for at in range(_RANDOM_DIGITS, len(block), _RANDOM_DIGITS))
        return block[:_RANDOM_DIGITS]
