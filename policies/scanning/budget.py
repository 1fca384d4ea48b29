# SPDX-License-Identifier: Apache-2.0
"""How much may be done for texts, so that none can make its scan cost out of all proportion to its length.

There are two bounds. What a text is decoded to is bounded for each text, by policy. How many candidates are judged is
bounded for all texts that belong together (`Judging`): many short texts cost as much as one long one.
"""

from typing import Final

# Four phases of base64 decode to three times what is encoded: enough for a picture of 2 MB in a text.
DECODED_BYTES: Final = 8 * 1024 * 1024
# A judge is asked about few places of any real text: some ten thousand a megabyte of prose or code, a million a
# megabyte of nothing but numbers. Who writes one of these could keep a processor busy: at some 25 µs for each, these
# take a second for what is short, and 3 s more for each megabyte.
CANDIDATES: Final = 50_000
_CHARS_A_CANDIDATE: Final = 8
# However much there is to see: no exchange keeps a processor busy for more than some 10 s.
MAX_CANDIDATES: Final = 400_000
# What is held of a stream is judged again with each event, so that each character that arrives brings one candidate.
_STREAMED: Final = 8


# So many bytes in which the beginning of a match is looked for take as long as a candidate.
BYTES_A_CANDIDATE: Final = 4_096


class BudgetSpent(Exception):
    """More would have to be judged than may be. What was not was not examined."""


class DecodingSpent(BudgetSpent):
    """More would have to be decoded than may be. What stands in the text as it is can be examined nevertheless."""


class Judging:
    """How many candidates may still be judged of texts that belong together. Grows with what arrives of them."""

    __slots__ = ("_seen_chars", "judged")

    def __init__(self) -> None:
        self.judged = 0
        self._seen_chars = 0

    @property
    def left(self) -> int:
        return min(CANDIDATES + self._seen_chars // _CHARS_A_CANDIDATE, MAX_CANDIDATES) - self.judged

    def arrived(self, chars: int, *, streamed: bool = False) -> None:
        """Add what `chars` more bring; what is `streamed` is looked at again while it is held."""
        self._seen_chars += chars * _STREAMED if streamed else chars


class Budget:
    """What is left for one text. `decoded_bytes` counts down with whatever is decoded, in views of views too."""

    __slots__ = ("_judging", "decoded_bytes")

    def __init__(self, decoded_bytes: int = DECODED_BYTES, judging: Judging | None = None) -> None:
        self.decoded_bytes = decoded_bytes
        self._judging = Judging() if judging is None else judging

    def decode(self, count: int) -> None:
        """Take `count` bytes before they are decoded.

        Raises DecodingSpent where there are not as many, now and later.
        """
        self.decoded_bytes -= count
        if self.decoded_bytes < 0:
            raise DecodingSpent

    def judge(self, count: int = 1) -> None:
        """Take a candidate, or what costs as much as `count`. Raises BudgetSpent as `decode` does."""
        self._judging.judged += count
        if self._judging.left < 0:
            raise BudgetSpent
