# SPDX-License-Identifier: Apache-2.0
"""What a detector is, and what it promises so that a text may be examined while it is still arriving.

Theory: a detector defines which spans of a *whole* text are findings. A stream sees the text in pieces, so a detector
is asked, after each piece, how far the text is *decided*: whatever may still follow, no unreported finding
begins before that point. Text before it may leave, text behind it is held. Findings are a function of the whole text
alone, hence every cutting of it gives the same findings.

Rules, and why:

1. A finding's language is free of context, but for the card's digit runs and the keyword before a secret access key.
   So replacing one finding never makes another out of its neighbours, and redacting twice changes nothing.
2. No finding begins or ends inside a run of digits of CARD_DIGITS or fewer: cut off from its neighbours, the rest of
   the run could be a card number. Where a finding's own limit would cut there, it takes the digits too.
3. No finding contains `[` or `]`, which stand at both ends of the placeholder (a private key's block may).
4. Where there is a finding, there is the detector's clue: a few characters that no finding can do without. A search
   for each clue (`clues.py`) says which detectors need to look at a text; for nearly every text none.
"""

from dataclasses import dataclass
from typing import Protocol

CARD_DIGITS = 24  # more than any card number has (19), so that a longer rest is no card number either


@dataclass(frozen=True, slots=True)
class Finding:
    """`text[start:end]`, in code points."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Opening:
    """A finding whose beginning is `text[start:end]` and which lasts until `until` has passed, or the text ends."""

    start: int
    end: int
    until: str


@dataclass(frozen=True, slots=True)
class Scan:
    """What is certain of a text so far: ordered, disjoint findings, and up to where the text is decided.

    An opening stands behind every finding of the scan; `decided_to` is its start.
    """

    findings: tuple[Finding, ...]
    decided_to: int
    opening: Opening | None = None


class Detector(Protocol):
    """One kind of thing to find. Immutable, and fit to be shared by any number of streams.

    `max_hold` is the most code points it ever leaves undecided, `lookbehind` how many decided ones it must still see.
    `clue` is a pattern of `re` without nested repetition: wherever `scan(text, start)` gives a finding or an opening,
    the clue is found in what the scan may see, `text[start - lookbehind:]`. It may be found elsewhere as well; the
    rarer, the cheaper.
    `finds` and `ignores` are its samples: in each of `finds` the whole text is one finding or has one inside.
    """

    @property
    def name(self) -> str: ...

    @property
    def max_hold(self) -> int: ...

    @property
    def lookbehind(self) -> int: ...

    @property
    def clue(self) -> str: ...

    @property
    def finds(self) -> tuple[str, ...]: ...

    @property
    def ignores(self) -> tuple[str, ...]: ...

    def scan(self, text: str, start: int, *, final: bool) -> Scan:
        """Return what is certain of `text[start:]`; what stands before `start` was decided and may only be looked at.

        With `final` nothing follows, and all of the text is decided.
        """

    def undecided_from(self, text: str, start: int) -> int:
        """Return the `decided_to` of `scan(text, start, final=False)`, for a text in which the clue is not found."""
