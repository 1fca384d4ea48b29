# SPDX-License-Identifier: Apache-2.0
"""Which detectors need to look at a text: those whose clue is in it.

Theory: nearly every text has no clue of any detector, and a detector that has no finding in a text costs nothing then
but the search for its clue, which the C code of `re` does in time that grows with the length of the text alone: a clue
is a few characters, without nested repetition.

Warning: RE2 would search for all clues at once, and must not be used in a process that may load rego-cpp, as workers
and control plane do. Loaded together, memory that RE2 allots is given to rego-cpp's allocator to free, which never
does: 370 bytes for each search, a megabyte for a thousand requests (google-re2 1.1.20251105, regopy 1.5.2).
"""

import re
from collections.abc import Collection, Sequence

from policies.detectors.detector import Detector


class Clues:
    """The clues of some detectors, which are named by their places in the sequence given. Immutable."""

    def __init__(self, detectors: Sequence[Detector]) -> None:
        """Compile the clues, once for a snapshot. Raises re.error for one that is no pattern."""
        self._searches = tuple((place, re.compile(detector.clue).search) for place, detector in enumerate(detectors))

    def seen(self, text: str) -> Collection[int]:
        """Return the places of the detectors whose clue is in `text`: empty where none of them can find anything."""
        return [place for place, search in self._searches if search(text)]
