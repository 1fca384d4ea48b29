# SPDX-License-Identifier: Apache-2.0
"""The digits of a value, and Luhn's check."""

import re
from typing import Final

_NO_DIGIT: Final = re.compile(r"[^0-9]+")
_DOUBLED: Final = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)  # the sum of the digits of twice the digit


def digits_of(value: str) -> str:
    """Return the ASCII digits of a value, without what stands between them."""
    return _NO_DIGIT.sub("", value)


def luhn(digits: str) -> bool:
    """Whether the last of these ASCII digits is the check digit of the others by Luhn's formula."""
    values = [ord(digit) - 48 for digit in reversed(digits)]
    return (sum(values[::2]) + sum(_DOUBLED[value] for value in values[1::2])) % 10 == 0
