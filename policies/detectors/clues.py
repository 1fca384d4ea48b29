# SPDX-License-Identifier: Apache-2.0
"""One search of a text for the clues of many detectors: which of them need to look at it.

Theory: a detector that has no finding in a text costs nothing then, and the search costs the same for four detectors
as for forty: RE2 runs one automaton over the text, in time that grows with the length of the text alone.

Warning: RE2's set gives "nothing found" as well where it ran out of memory. So the set has a pattern that every text
has; where that one is missing too, every detector looks.

Warning: RE2's library loads libstdc++, which rego-cpp must have loaded first (`policies.engines.rego_library`).
"""

# ruff: noqa: I001  # the order below is the fact above
from collections.abc import Collection, Sequence
from typing import Final

import policies.engines.rego_library  # noqa: F401  # for what loading it does
import re2

from policies.detectors.detector import Detector

_IN_EVERY_TEXT: Final = r"\A"


class Clues:
    """The clues of some detectors, which are named by their places in the sequence given. Immutable."""

    def __init__(self, detectors: Sequence[Detector]) -> None:
        """Compile the clues: less than a millisecond, once for a snapshot. Raises re2.error for one that is none."""
        self._patterns = re2.Set.SearchSet()
        for detector in detectors:
            self._patterns.Add(detector.clue)
        self._always = self._patterns.Add(_IN_EVERY_TEXT)
        self._patterns.Compile()
        self._nothing = [self._always]
        self._everything = frozenset(range(len(detectors)))

    def seen(self, text: str) -> Collection[int]:
        """Return the places of the detectors whose clue is in `text`: empty where none of them can find anything."""
        try:
            found = self._patterns.Match(text.encode())
        except UnicodeEncodeError:  # a lone surrogate, which strict JSON does not have
            return self._everything
        if found == self._nothing:
            return ()
        if found is None or self._always not in found:
            return self._everything
        return self._everything.intersection(found)
