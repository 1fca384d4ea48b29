# SPDX-License-Identifier: Apache-2.0
"""Readings of the same letters in another way: rot13, backwards, digits for letters. Given only where they make words.

Any text can be read in these ways, and nearly always that is noise. So each is given for those stretches alone whose
words are known ones when they are read so, and are not as they stand.
"""

import re
from collections.abc import Callable, Iterator
from itertools import product
from typing import Final

from policies.screening.stretches import stretches
from policies.screening.view import Reading, View
from policies.screening.words import weight_of

_WORD: Final = re.compile(r"[A-Za-z]+")
# What is no word either way says a little against: names and other languages are so.
_UNKNOWN: Final = -0.2
# Longer ones are no words.
_LONGEST: Final = 24

_SMALL, _LARGE = "abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_ROT13: Final = str.maketrans(_SMALL + _LARGE, _SMALL[13:] + _SMALL[:13] + _LARGE[13:] + _LARGE[:13])

_AMBIGUOUS: Final = "1!|"
_LEET_WORD: Final = re.compile(r"[A-Za-z0-9@$!|+€(]+")
_LEET: Final = str.maketrans("0134579862@$!|+€(", "oieastgbgzasiitec")
_LEET_CHARACTER: Final = re.compile(r"[0-9@$!|+€(]")
# Of a word with more of them only the first are tried both ways.
_MOST_AMBIGUOUS: Final = 3


def rot13(view: View) -> Iterator[Reading]:
    for start, end in stretches(_gains(view.text, lambda word: word.translate(_ROT13))):
        yield Reading(view, view.text[start:end].translate(_ROT13), range(start, end))


def backwards(view: View) -> Iterator[Reading]:
    """Give what is written backwards, and what has each word so where it stands: the same words tell of both."""
    for start, end in stretches(_gains(view.text, lambda word: word[::-1])):
        part = view.text[start:end]
        yield Reading(view, part[::-1], range(end - 1, start - 1, -1))
        places = list(range(start, end))
        for word in _WORD.finditer(part):
            places[word.start() : word.end()] = places[word.start() : word.end()][::-1]
        yield Reading(view, _WORD.sub(lambda word: word[0][::-1], part), places)


def _gains(text: str, read: Callable[[str], str]) -> Iterator[tuple[int, int, float]]:
    known: dict[str, float] = {}
    for found in _WORD.finditer(text):
        word = found[0].lower()
        gain = known.get(word)
        if gain is None:
            gain = _UNKNOWN
            if len(word) <= _LONGEST:
                gain = (weight_of(read(word)) - weight_of(word)) or _UNKNOWN
            known[word] = gain
        yield *found.span(), gain


def leet(view: View) -> Iterator[Reading]:
    text = view.text
    if not _LEET_CHARACTER.search(text):
        return
    for start, end in stretches(_leet_gains(text)):
        part = _LEET_WORD.sub(_letters, text[start:end])
        yield Reading(view, part, range(start, end))


def _letters(word: re.Match[str]) -> str:
    if word.start() and word.string[word.start() - 1] == "'":
        return word[0].translate(_LEET)  # the end of another
    return _unleeted(word[0])[0]


def _leet_gains(text: str) -> Iterator[tuple[int, int, float]]:
    for found in _LEET_WORD.finditer(text):
        word = found[0]
        if word.isalpha():
            # A word as it is says nothing: any may stand beside one with digits.
            yield *found.span(), -0.1
        else:
            yield *found.span(), _unleeted(word)[1] or _UNKNOWN


def _unleeted(word: str) -> tuple[str, float]:
    """Give the best reading of a word, of its length, and what that says."""
    if len(word) > _LONGEST or word.isalpha():
        return word, 0.0
    if word.isdigit():
        # A number by itself, but a word among such words.
        reading = word.translate(_LEET)
        return (reading if weight_of(reading) else word), 0.0
    places = [place for place, character in enumerate(word) if character in _AMBIGUOUS][:_MOST_AMBIGUOUS]
    plain = word.translate(_LEET)
    best, weight = plain, 0.0
    for letters in product("il", repeat=len(places)):
        read = list(plain)
        for place, letter in zip(places, letters, strict=True):
            read[place] = letter
        reading = "".join(read)
        # A mark at the end may be one.
        core = reading[: len(word.rstrip("!|+("))]
        for candidate in {reading, core}:
            if (said := weight_of(candidate.lower())) > weight:
                best, weight = candidate + word[len(candidate) :], said
    return best, weight
