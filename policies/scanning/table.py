# SPDX-License-Identifier: Apache-2.0
"""The detectors of a snapshot and their patterns, numbered: what the databases are compiled from, and asked by."""

import re
from collections.abc import Sequence
from typing import Final

from policies.detectors.contract import Detector, Pattern
from policies.scanning.databases import Databases, sources, tree_of
from policies.scanning.decoded import ENCODING_EXPRESSIONS
from policies.scanning.expression import VALUE, parse
from policies.scanning.forms import for_value
from policies.scanning.kept import KeptDatabases
from policies.scanning.source import Source
from policies.scanning.tree import has_value

# What tells that something may be encoded. Of a run the whole is to be seen, but for the beginning of a long one; and
# it is told once, where it ends.
_RUN: Final = "A-Za-z0-9+/_-"
_MARKS: Final = tuple(
    Pattern(expression=expression, alone=_RUN if _RUN in expression else "") for expression in ENCODING_EXPRESSIONS
)


class PatternTable:
    """Detectors are named by their number, and so are the patterns that they have. Immutable.

    `owners` has for each pattern the detectors that have it, `values` what tells the part of a match that is the value
    (None where the whole is), `until_of` what ends a finding that lasts until something has passed.
    """

    __slots__ = ("detectors", "owners", "patterns", "until_of", "values")

    def __init__(self, detectors: Sequence[Detector]) -> None:
        """Raises ExpressionError for an expression with a value that cannot be looked for, as `compiled` for others."""
        self.detectors = tuple(detectors)
        self.patterns = tuple(dict.fromkeys(pattern for detector in detectors for pattern in detector.patterns))
        numbers = {pattern: number for number, pattern in enumerate(self.patterns)}
        owners: list[list[int]] = [[] for _ in self.patterns]
        for number, detector in enumerate(detectors):
            for pattern in dict.fromkeys(detector.patterns):
                owners[numbers[pattern]].append(number)
        self.owners = tuple(map(tuple, owners))
        self.values: tuple[re.Pattern[bytes] | None, ...] = tuple(map(_value_of, self.patterns))
        self.until_of: tuple[re.Pattern[bytes] | None, ...] = tuple(
            None if pattern.until is None else for_value(parse(pattern.until)) for pattern in self.patterns
        )

    def compiled(self, kept: KeptDatabases | None = None) -> Databases:
        """Compile what a Scanner of these patterns needs; takes seconds. Raises ExpressionError, CannotScan."""
        return Databases.of(self.patterns, marks=self._marks, kept=kept)

    def sources(self) -> tuple[Source, ...]:
        """Return what `compiled` compiles, each by itself."""
        return sources(self.patterns, marks=self._marks)

    @property
    def _marks(self) -> tuple[Pattern, ...]:
        """Where nothing is looked for, what is encoded is not looked for either."""
        return _MARKS if self.detectors else ()

    def is_mark(self, number: int) -> bool:
        """Whether a number is not of a pattern: of something that is encoded, and no finding by itself."""
        return number >= len(self.patterns)


def _value_of(pattern: Pattern) -> re.Pattern[bytes] | None:
    if VALUE not in pattern.expression:  # nearly all of ten thousand: they need not be read for this
        return None
    tree = tree_of(pattern)
    return for_value(tree) if has_value(tree) else None
