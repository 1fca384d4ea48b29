# SPDX-License-Identifier: Apache-2.0
"""Sets of small numbers as bytes that grow by appending.

A set is a list of segments. Each begins with a little-endian 16-bit word. With its highest bit, the word is one
number. Without it, the word is the first number of a bitmap, whose length in bytes is the next word. Segments may
overlap: a set is the union of its segments. In memory a set is one big integer, so that AND and OR are one instruction
for 64 numbers.
"""

import struct
from collections.abc import Sequence
from typing import Final

# Words have 15 bits for a number.
LARGEST: Final = (1 << 15) - 1
_SINGLE: Final = 1 << 15
_WORD: Final = struct.Struct("<H")
_HEAD: Final = struct.Struct("<HH")


def set_of(numbers: Sequence[int]) -> int:
    """Return the set of `numbers`: a bit at a time in bytes, since a large integer is copied for each."""
    content = bytearray(max(numbers, default=0) // 8 + 1)
    for number in numbers:
        content[number >> 3] |= 1 << (number & 7)
    return int.from_bytes(content, "little")


def packed(numbers: int) -> bytes:
    """Return the set as the fewest bytes: one bitmap, or its numbers one by one."""
    if not numbers:
        return b""
    first = (numbers & -numbers).bit_length() - 1
    length = (numbers.bit_length() - first + 7) // 8
    if 2 * numbers.bit_count() < _HEAD.size + length:
        return b"".join(_WORD.pack(_SINGLE | number) for number in members(numbers))
    return _HEAD.pack(first, length) + (numbers >> first).to_bytes(length, "little")


def unpacked(content: bytes) -> int:
    """Return the union of all segments."""
    numbers, at = 0, 0
    while at < len(content):
        (word,) = _WORD.unpack_from(content, at)
        at += _WORD.size
        if word & _SINGLE:
            numbers |= 1 << (word ^ _SINGLE)
        else:
            (length,) = _WORD.unpack_from(content, at)
            at += _WORD.size
            numbers |= int.from_bytes(content[at : at + length], "little") << word
            at += length
    return numbers


def members(numbers: int) -> list[int]:
    """Return the numbers of the set in ascending order."""
    found: list[int] = []
    base = 0
    # 64 at a time: taking the lowest bit of all of a large integer again and again would be quadratic.
    for word in struct.unpack(
        f"<{(numbers.bit_length() + 63) // 64}Q",
        numbers.to_bytes((numbers.bit_length() + 63) // 64 * 8, "little"),
    ):
        left = word
        while left:
            lowest = left & -left
            found.append(base + lowest.bit_length() - 1)
            left ^= lowest
        base += 64
    return found
