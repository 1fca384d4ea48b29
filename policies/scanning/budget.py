# SPDX-License-Identifier: Apache-2.0
"""How much may be done for one text, so that no text can make its scan cost out of all proportion to its length."""

from typing import Final

# Four phases of base64 decode to three times what is encoded: enough for a picture of 2 MB in a text.
DECODED_BYTES: Final = 8 * 1024 * 1024
# A judge is asked about few places of any real text. Who writes a text of nothing else could keep a worker busy: at
# some 2 µs for each, these take 0.1 s for a short text and 0.3 s more for each megabyte.
CANDIDATES: Final = 50_000
_BYTES_A_CANDIDATE: Final = 8


class BudgetSpent(Exception):
    """More would have to be decoded or judged than the budget has. What was not was not examined."""


class Budget:
    """What is left for one text. `decoded_bytes` counts down with whatever is decoded, in views of views too."""

    __slots__ = ("candidates", "decoded_bytes")

    def __init__(self, decoded_bytes: int = DECODED_BYTES, *, text_chars: int = 0) -> None:
        self.decoded_bytes = decoded_bytes
        self.candidates = CANDIDATES + text_chars // _BYTES_A_CANDIDATE

    def decode(self, count: int) -> None:
        """Take `count` bytes before they are decoded. Raises BudgetSpent where there are not as many, now and later."""
        self.decoded_bytes -= count
        if self.decoded_bytes < 0:
            raise BudgetSpent

    def judge(self) -> None:
        """Take one candidate. Raises BudgetSpent as `decode` does."""
        self.candidates -= 1
        if self.candidates < 0:
            raise BudgetSpent
