# SPDX-License-Identifier: Apache-2.0
"""How much may be done for one text, so that no text can make its scan cost out of all proportion to its length."""

from typing import Final

# Four phases of base64 decode to three times what is encoded: enough for a picture of 2 MB in a text.
DECODED_BYTES: Final = 8 * 1024 * 1024


class BudgetSpent(Exception):
    """More would have to be decoded than the budget has. What was not decoded was not examined."""


class Budget:
    """What is left for one text. `decoded_bytes` counts down with whatever is decoded, in views of views too."""

    __slots__ = ("decoded_bytes",)

    def __init__(self, decoded_bytes: int = DECODED_BYTES) -> None:
        self.decoded_bytes = decoded_bytes

    def decode(self, count: int) -> None:
        """Take `count` bytes before they are decoded. Raises BudgetSpent, now and ever after, if fewer are left."""
        self.decoded_bytes -= count
        if self.decoded_bytes < 0:
            raise BudgetSpent
