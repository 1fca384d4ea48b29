# SPDX-License-Identifier: Apache-2.0
"""What the words of a text mean to the rules: each word or phrase of lexicon.yaml that stands in it, by its class.

Theory. An order is said in many ways, and in many languages, by words from few classes: one to disregard, one for what
came before, one for instructions. So a rule names classes, and the words are data.

Facts. A text is folded and in small letters, and so are the entries. Where a language is written without spaces, each
of its characters is a word. Words have positions, which rules measure distances in; the end of a sentence counts as
some more, so that what belongs together is rarely found across it. Time is in proportion to the text.
"""

import functools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Final

import yaml

from policies.scanning.fold import folded

# A character of a script without spaces, a word of another, the end of a sentence.
_EAST: Final = "\u3040-\u30ff\u3400-\u9fff"
_WORD: Final = re.compile(
    rf"[{_EAST}]|[^\W_{_EAST}]+(?:['.-][^\W_{_EAST}]+)*|[.!?;]+(?=\s|$)|[\u3002\uff01\uff1f\uff1b]|\n\s*\n"
)
# The name of a host: where something can be sent to.
_ADDRESS: Final = re.compile(r"[a-z0-9-]{2,63}(?:\.[a-z0-9-]{2,63})*\.[a-z]{2,24}")
DESTINATION: Final = "DESTINATION"
_ENDS: Final = frozenset(".!?;\u3002\uff01\uff1f\uff1b\n")
# So many words farther is what stands beyond the end of a sentence.
SENTENCE_GAP: Final = 3
_LEAST_PREFIX: Final = 2
_SEPARATOR: Final = " | "


@dataclass(frozen=True, slots=True)
class Meaning:
    """One word or phrase of a class: from position `first` to `last`, and where that stands in the text."""

    of: str
    first: int
    last: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class _Entry:
    words: tuple[str, ...]
    is_prefix: bool
    of: str


class Lexicon:
    """The classes of words. Immutable."""

    __slots__ = ("_by_first", "_by_prefix", "_longest_prefix", "classes")

    def __init__(self, classes: Mapping[str, Mapping[str, str]]) -> None:
        """Raises ValueError for an entry that has no word."""
        self.classes = frozenset(classes)
        self._by_first: dict[str, list[_Entry]] = {}
        self._by_prefix: dict[str, list[_Entry]] = {}
        entries = dict.fromkeys(
            _entry(name, text)
            for name, languages in classes.items()
            for texts in languages.values()
            for text in texts.split(_SEPARATOR)
        )
        for entry in entries:
            single_prefix = entry.is_prefix and len(entry.words) == 1
            (self._by_prefix if single_prefix else self._by_first).setdefault(entry.words[0], []).append(entry)
        self._longest_prefix = max(map(len, self._by_prefix), default=0)

    def meanings(self, text: str) -> list[Meaning]:
        """Give what a folded text in small letters says, in the order of where it begins."""
        words = list(_positions(text))
        found: list[Meaning] = []
        # The words of a text are few different ones: what begins with each is looked up once.
        begun: dict[str, tuple[_Entry, ...]] = {}
        for at, (word, position, start, _) in enumerate(words):
            entries = begun.get(word)
            if entries is None:
                entries = begun[word] = self._beginning(word)
            longest: dict[str, int] = {}
            for entry in entries:
                behind = at + len(entry.words)
                if behind <= len(words) and _continues(entry, words, at):
                    longest[entry.of] = max(longest.get(entry.of, 0), behind)
            found += [
                Meaning(of, position, words[behind - 1][1], start, words[behind - 1][3])
                for of, behind in longest.items()
            ]
        return found

    def _beginning(self, word: str) -> tuple[_Entry, ...]:
        entries = list(self._by_first.get(word, ()))
        if _ADDRESS.fullmatch(word):
            entries.append(_Entry((word,), is_prefix=False, of=DESTINATION))
        for length in range(_LEAST_PREFIX, min(len(word), self._longest_prefix) + 1):
            entries += self._by_prefix.get(word[:length], ())
        return tuple(entries)


def _continues(entry: _Entry, words: list[tuple[str, int, int, int]], at: int) -> bool:
    last = len(entry.words) - 1
    for number in range(1, last + 1):
        word, position, _, _ = words[at + number]
        # Words of a phrase stand side by side.
        if position != words[at][1] + number:
            return False
        wanted = entry.words[number]
        if word != wanted and not (entry.is_prefix and number == last and word.startswith(wanted)):
            return False
    return True


def _positions(text: str) -> Iterator[tuple[str, int, int, int]]:
    """Give each word with its position, and where it stands."""
    position = 0
    for found in _WORD.finditer(text):
        word = found[0]
        if word[0] in _ENDS:
            position += SENTENCE_GAP
        else:
            yield word, position, *found.span()
            position += 1


def _entry(name: str, text: str) -> _Entry:
    plain = plainly(text.strip())
    is_prefix = plain.endswith("*")
    words = tuple(word for word, *_ in _positions(plain.removesuffix("*")))
    if not words:
        raise ValueError(f"lexicon.yaml: {name} has the entry {text!r}, which is no word: leave it out")
    return _Entry(words, is_prefix, name)


def plainly(text: str) -> str:
    """Give a text as entries are written: folded and in small letters, with as many characters as it folds to."""
    return _lower(folded(text))


def _lower(text: str) -> str:
    lower = text.lower()
    # İ alone becomes two.
    return lower if len(lower) == len(text) else "".join(each.lower()[0] for each in text)


def read_table(name: str) -> Any:
    """Read a table of this package."""
    return yaml.safe_load(files("policies.screening").joinpath(name).read_text("utf-8"))


@functools.cache
def lexicon() -> Lexicon:
    """Return the lexicon of the rules, read when it is first asked for."""
    return Lexicon(read_table("lexicon.yaml"))
