# SPDX-License-Identifier: Apache-2.0
"""All that a text can be read as: as it is, folded, and decoded, up to DEPTH readings one within another.

Theory. What a model can read an attacker can write in. So every layer of the screen looks at each view of a text: the
text as it was given; its folded copy, if that differs; what is encoded in it; what it says in another alphabet,
backwards, in a simple cipher or with its letters taken apart; and the same again of each of those. Readings that any
text has (rot13, backwards, digits for letters, letters apart) are views only where they make words of what is none.

Rules.

1. Views come in order of their depth, so that what a budget cuts off is what was hidden deepest.
2. No two views have the same text.
3. Work is in proportion to the budget: beyond it there is nothing more, and `over_budget` says so.
4. Every view leads back to the code points of the text that was given, and all but `raw` are folded.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Final, Self

from policies.scanning import escapes, runs
from policies.scanning.budget import Budget as DecodingBudget
from policies.scanning.budget import DecodingSpent
from policies.scanning.copy import ScanCopy, Scanned
from policies.scanning.fold import folded
from policies.scanning.smuggled import smuggled
from policies.screening import alphabets, ciphers, respaced
from policies.screening.model import RAW
from policies.screening.view import Folded, Given, Pieces, Reading, View
from policies.screening.words import weight_of

__all__ = ["DEPTH", "READINGS", "Budget", "View", "Views", "views_of"]

DEPTH: Final = 3
# Characters of views that a short text has, too.
_FOR_ANY: Final = 64 * 1024
# Runs are decoded from every place within a group, so that more is decoded than is ever a view.
_DECODED: Final = 4
FOLDED: Final = "folded"

# Noise that a wrong reading gives by chance is shorter, and has no words.
_LEAST_STRETCH: Final = 12
_LEAST_WORDS: Final = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """How much a text may be read as, beyond what it is: characters of all views together, and views."""

    chars: int
    views: int = 64

    @classmethod
    def of(cls, text: str) -> Self:
        """Return enough for what is honest: three encodings of a text are shorter than it, other readings as long."""
        return cls(chars=_FOR_ANY + 4 * len(text))


@dataclass(frozen=True, slots=True, kw_only=True)
class Views:
    """The views of one text, `raw` first. `over_budget`: it can be read as more, which nobody looked at."""

    views: tuple[View, ...]
    over_budget: bool

    def __iter__(self) -> Iterator[View]:
        return iter(self.views)


class _Spent(Exception):
    """More is encoded than the budget has."""


# Those of the text as it was given: the folded copy has nothing of these signs any more, or takes them for others.
_OF_GIVEN: Final[Mapping[str, Callable[[View], Iterator[Reading]]]] = {
    "upside-down": alphabets.upside_down,
    "overridden": alphabets.overridden,
    "bits": alphabets.invisible_bits,
}
_OF_ANY: Final[Mapping[str, Callable[[View], Iterator[Reading]]]] = {
    "quoted-printable": alphabets.quoted_printable,
    "numbers": alphabets.numbered,
    "morse": alphabets.morse,
    "pictures": alphabets.pictured,
    "backwards": ciphers.backwards,
    "rot13": ciphers.rot13,
    "leet": ciphers.leet,
    "respaced": respaced.respaced,
}
# Every name that a part of a view's name can be.
READINGS: Final = (RAW, FOLDED, "smuggled", *_OF_GIVEN, "unescaped", "base64", "base32", "hex", "regrouped", *_OF_ANY)


def views_of(text: str, budget: Budget | None = None) -> Views:
    """Return the views of a text. Never raises: a text without end costs no more than the budget."""
    reader = _Reader(text, Budget.of(text) if budget is None else budget)
    over = False
    try:
        reader.read()
    except (_Spent, DecodingSpent):
        over = True
    return Views(views=tuple(reader.views), over_budget=over)


class _Reader:
    def __init__(self, text: str, budget: Budget) -> None:
        self.views = [View(RAW, Given(text), depth=0, text=text)]
        self._seen = {text}
        self._left = budget
        self._decoding = DecodingBudget(_DECODED * budget.chars)

    def read(self) -> None:
        """Raises _Spent, DecodingSpent; what was read until then is there."""
        given = self.views[0]
        copy = ScanCopy.of(given.text)
        if not given.text.isascii():
            # Every character may be one that folds: a folded copy is no reading more, and has no depth of its own.
            self._add(FOLDED, copy, depth=0)
            self._add_each("smuggled", smuggled(copy), given)
            for name, read in _OF_GIVEN.items():
                self._add_each(name, read(given), given)
        self._expand(View(RAW, copy, depth=0))
        # What is appended meanwhile is expanded in its turn.
        for view in self.views:
            if 0 < view.depth < DEPTH:
                self._expand(view)

    def _expand(self, view: View) -> None:
        unescaped = escapes.unescaped(view.scanned, self._decoding)
        if unescaped is not None:
            self._add(_named(view, "unescaped"), unescaped, depth=view.depth + 1)
        self._add_runs(view, "", (view.scanned,))
        for name, read in _OF_ANY.items():
            self._add_each(name, read(view), view)
        self._add_runs(view, "regrouped/", respaced.regrouped(view))

    def _add_runs(self, view: View, how: str, sources: Iterable[Scanned]) -> None:
        by_encoding: dict[str, list[runs.Stretch]] = {}
        for stretch in chain.from_iterable(runs.stretches(source, self._decoding) for source in sources):
            if _says_something(stretch.data):
                by_encoding.setdefault(stretch.encoding, []).append(stretch)
        for encoding, found in by_encoding.items():
            self._add_each(how + encoding, iter(found), view)

    def _add_each(self, name: str, found: Iterator[Scanned], view: View) -> None:
        pieces = list(found)
        if pieces:
            piece = pieces[0] if len(pieces) == 1 else Pieces(pieces)
            self._add(_named(view, name), piece, depth=view.depth + 1)

    def _add(self, name: str, scanned: Scanned, *, depth: int) -> None:
        view = View(name, scanned, depth=depth)
        if folded(view.text) != view.text:
            view = View(name, Folded(view), depth=depth)
        if not view.text or view.text in self._seen:
            return
        self._left = Budget(chars=self._left.chars - len(view.text), views=self._left.views - 1)
        if self._left.chars < 0 or self._left.views < 0:
            raise _Spent
        self._seen.add(view.text)
        self.views.append(view)


def _named(view: View, how: str) -> str:
    return how if view.depth == 0 else f"{view.name}/{how}"


def _says_something(data: bytes) -> bool:
    text = data.decode("utf-8", "replace")
    if len(text) >= _LEAST_STRETCH and text.count("\ufffd") * _LEAST_STRETCH <= len(text):
        return True
    return sum(map(weight_of, text.lower().split())) >= _LEAST_WORDS
