# SPDX-License-Identifier: Apache-2.0
"""Compiles the patterns of a snapshot: three databases of hyperscan, one for each form of the patterns (`forms.py`).

They are compiled once for a snapshot, off the path of requests, and are plain bytes until a process loads them.
"""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import hyperscan

from policies.detectors.contract import Pattern
from policies.scanning import forms
from policies.scanning.expression import characters, parse
from policies.scanning.kept import KeptDatabases
from policies.scanning.literals import Literal, LiteralDatabases, text_of
from policies.scanning.source import CannotScan, Compile, Source
from policies.scanning.tree import Node, alphabet, widths

__all__ = ["MAX_MATCH_BYTES", "CannotScan", "Databases", "sources", "tree_of"]

# Beginnings of a match are looked for no farther than this before its end. A longer match is none that is held back
# for: the bound on what a stream may hold is smaller.
MAX_MATCH_BYTES: Final = 65_536
_NOTHING: Final[frozenset[int]] = frozenset()
# A process has few sets of patterns: those of its snapshot, and the next.
_KEPT: Final = 8


@dataclass(frozen=True, slots=True)
class Databases:
    """The compiled forms of some patterns, as bytes that this version of hyperscan loads on this kind of processor.

    `widths` has for each pattern the one width that its matches have, so that where one begins need not be looked for;
    0 where it has to be. `longest` has the most bytes that a match can have, `alphabets` which ones they can be.
    Patterns that are plain texts are in `literals` alone.
    """

    ends: bytes
    starts: bytes
    openings: bytes
    widths: tuple[int, ...]
    longest: tuple[int, ...]
    alphabets: tuple[bytes, ...]
    literals: LiteralDatabases = field(default_factory=LiteralDatabases)

    @staticmethod
    def of(
        patterns: Sequence[Pattern], marks: Sequence[Pattern] = (), *, kept: KeptDatabases | None = None
    ) -> "Databases":
        """Compile `patterns`, or take from `kept` what was compiled before. Raises ExpressionError, CannotScan.

        `marks` are patterns of which only is told where they end, whatever stands before: numbered behind the others.
        """
        if kept is not None:
            return _databases(patterns, marks, kept.of)
        return _compiled(tuple(patterns), tuple(marks))


def sources(patterns: Sequence[Pattern], marks: Sequence[Pattern] = ()) -> tuple[Source, ...]:
    """Return all that `Databases.of` would compile. Raises ExpressionError."""
    found: list[Source] = []

    def note(source: Source) -> bytes:
        if source.expressions:
            found.append(source)
        return b""

    _databases(patterns, marks, note)
    return tuple(found)


@functools.lru_cache(maxsize=_KEPT)
def _compiled(patterns: tuple[Pattern, ...], marks: tuple[Pattern, ...]) -> Databases:
    return _databases(patterns, marks, Source.compiled)


def _databases(patterns: Sequence[Pattern], marks: Sequence[Pattern], compiled: Compile) -> Databases:
    literals: list[Literal] = []
    forward: dict[int, str] = {}
    backward: dict[int, str] = {}
    openings: list[str | None] = []
    one_width: list[int] = []
    longest: list[int] = []
    alphabets: list[bytes] = []
    for number, pattern in enumerate(patterns):
        tree, before = tree_of(pattern), _before(pattern)
        low, high = widths(tree)
        alphabets.append(bytes(alphabet(tree)))
        if (text := text_of(tree)) is not None:
            behind = characters(pattern.alone)
            literals.append(Literal(number=number, text=text[0], caseless=text[1], before=before, behind=behind))
            longest.append(low)
            one_width.append(low)
            continue
        core = forms.core(tree)
        forward[number] = forms.forward(
            tree if core is None else core,
            before=before if core is None else _NOTHING,
            behind=characters(pattern.alone),
        )
        openings.append(forms.opening(tree, before=before))
        longest.append(MAX_MATCH_BYTES if high is None else min(high, MAX_MATCH_BYTES))
        one_width.append(low if low == high and core is None else 0)
        if not one_width[-1]:
            backward[number] = forms.backward(tree, before=before)
    for number, mark in enumerate(marks, start=len(patterns)):
        forward[number] = forms.forward(tree_of(mark), before=_NOTHING, behind=characters(mark.alone))
        openings.append(forms.opening(tree_of(mark), before=_before(mark)))
    opens = tuple(form.encode("ascii") for form in openings if form is not None)
    return Databases(
        ends=compiled(_source(forward)),
        starts=compiled(_source(backward)),
        # All the same number: which pattern it is that may begin makes no difference.
        openings=compiled(
            Source(expressions=opens, numbers=(0,) * len(opens), flags=(hyperscan.HS_FLAG_DOTALL,) * len(opens))
        ),
        widths=tuple(one_width),
        longest=tuple(longest),
        alphabets=tuple(alphabets),
        literals=LiteralDatabases.of(literals, compiled),
    )


def tree_of(pattern: Pattern) -> Node:
    """Return the tree of a pattern's expression. Raises ExpressionError."""
    return parse(pattern.expression, ignore_case=pattern.ignore_case)


def _before(pattern: Pattern) -> frozenset[int]:
    return characters(pattern.alone if pattern.alone_before is None else pattern.alone_before)


def _source(forms_of: Mapping[int, str]) -> Source:
    return Source(
        expressions=tuple(form.encode("ascii") for form in forms_of.values()),
        numbers=tuple(forms_of),
        flags=(hyperscan.HS_FLAG_DOTALL,) * len(forms_of),
    )
