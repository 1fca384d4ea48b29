# SPDX-License-Identifier: Apache-2.0
"""Keccak-256 as Ethereum uses it: SHA-3 with the padding it had before it became a standard.

`hashlib` has only the standard's; the library that has this one is a C extension for one check of one detector.
"""

from typing import Final

_MASK: Final = (1 << 64) - 1
_RATE: Final = 136
_ROUNDS: Final = 24
_PADDING: Final = b"\x01"


def _round_constants() -> tuple[int, ...]:
    constants = []
    register = 1
    for _ in range(_ROUNDS):
        constant = 0
        for power in range(7):
            if register & 1:
                constant |= 1 << ((1 << power) - 1)
            register = (register << 1) ^ (0x171 if register & 0x80 else 0)
        constants.append(constant)
    return tuple(constants)


def _rotations() -> dict[tuple[int, int], int]:
    rotations = {(0, 0): 0}
    x, y = 1, 0
    for step in range(24):
        rotations[x, y] = (step + 1) * (step + 2) // 2 % 64
        x, y = y, (2 * x + 3 * y) % 5
    return rotations


_CONSTANTS: Final = _round_constants()
_ROTATIONS: Final = _rotations()


def _rotate(lane: int, by: int) -> int:
    return (lane << by | lane >> (64 - by)) & _MASK


def _permute(lanes: dict[tuple[int, int], int]) -> dict[tuple[int, int], int]:
    for constant in _CONSTANTS:
        column = [lanes[x, 0] ^ lanes[x, 1] ^ lanes[x, 2] ^ lanes[x, 3] ^ lanes[x, 4] for x in range(5)]
        mixed = [column[x - 1] ^ _rotate(column[(x + 1) % 5], 1) for x in range(5)]
        moved = {(y, (2 * x + 3 * y) % 5): _rotate(lane ^ mixed[x], _ROTATIONS[x, y]) for (x, y), lane in lanes.items()}
        lanes = {
            (x, y): lane ^ (~moved[(x + 1) % 5, y] & moved[(x + 2) % 5, y] & _MASK) for (x, y), lane in moved.items()
        }
        lanes[0, 0] ^= constant
    return lanes


def keccak_256(message: bytes) -> bytes:
    """Return the 32 bytes of the digest."""
    padded = bytearray(message + _PADDING + bytes(-(len(message) + 1) % _RATE))
    padded[-1] |= 0x80
    lanes = {(x, y): 0 for x in range(5) for y in range(5)}
    for start in range(0, len(padded), _RATE):
        for number in range(_RATE // 8):
            word = padded[start + 8 * number : start + 8 * number + 8]
            lanes[number % 5, number // 5] ^= int.from_bytes(word, "little")
        lanes = _permute(lanes)
    return b"".join(lanes[x, 0].to_bytes(8, "little") for x in range(4))
