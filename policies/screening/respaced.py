# SPDX-License-Identifier: Apache-2.0
"""Readings that put together what was taken apart: letters with something between, and encodings in small groups.

`i g n o r e`, `ig-no-re` and a word with line ends in it are words to a model. What stands between the letters is
dropped, and words are found again: by other gaps than those that were put in, else by the words that are known.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Final

from policies.screening.stretches import LEAST, stretches
from policies.screening.view import Reading, View
from policies.screening.words import is_known, segmented, weight_of

_LETTERS: Final = re.compile(r"[^\W\d_]+")
# What is farther apart was never one word.
_WIDEST_GAP: Final = 12
# So many letters that each stand alone are no enumeration.
_ENOUGH_SINGLES: Final = 12
_ALIKE: Final = 0.4
# How many letters words have on the average, in languages that part them.
_LIKE_WORDS: Final = (2.5, 14)
# Parts of words have no more letters, on the average.
_PART: Final = 4.2
_OPENING: Final = ("(", "[", "{", "<")
_SHORT: Final = 3
_LONG: Final = 6

_GROUP: Final = re.compile(r"[A-Za-z0-9+/_-]{1,15}={0,6}")
_ODD: Final = re.compile(r"[0-9][A-Za-z]|[A-Za-z][0-9]|[a-z][A-Z]|[+=]|/[A-Za-z]|[A-Z]{2}")
_LEAST_ENCODED: Final = 16


def respaced(view: View) -> Iterator[Reading]:
    """Give the words that stretches of a text consist of whose letters were taken apart, with what else is between."""
    text = view.text
    for start, end in stretches(_apart(text)):
        tokens = [(found.start() + start, found[0]) for found in _LETTERS.finditer(text[start:end])]
        joiner, words = _words(tokens, text)
        if not words:
            continue
        places = list(words[0])
        letters = [text[place] for place in places]
        for before, behind in pairwise(words):
            between = _between(text[before[-1] + 1 : behind[0]], joiner)
            letters += between
            places += [before[-1]] * len(between)
            letters += [text[place] for place in behind]
            places += behind
        yield Reading(view, "".join(letters), places)


def _between(gap: str, joiner: str) -> str:
    """Give what parts two words beside what was put between all letters: punctuation counts for what they mean."""
    rest = gap.replace(joiner, "") if joiner else gap
    marks = "".join(rest.split())
    return marks + ("\n" if "\n" in rest else "" if marks.endswith(_OPENING) else " ")


def _apart(text: str) -> Iterator[tuple[int, int, float]]:
    """Say of each group of letters whether it looks like a part of a word."""
    last = 0
    for found in _LETTERS.finditer(text):
        start, end = found.span()
        if start - last > _WIDEST_GAP:
            yield start, start, -100.0
        last = end
        length = end - start
        if length == 1:
            yield start, end, 1.0
        elif is_known(found[0].lower()):
            yield start, end, 0.3 if length < _SHORT else -1.0
        else:
            yield start, end, 0.8 if length <= _SHORT else 0.3 if length <= _LONG else -1.0


def _words(tokens: Sequence[tuple[int, str]], text: str) -> tuple[str, list[list[int]]]:
    """Give what was put between letters, and the places of the letters of each word, if enough were taken apart.

    What stands between most of them is what was put there, and whatever else stands between two parts words. Where that
    tells nothing, since all stand equally far from each other, known words do.
    """
    gaps = [text[at + len(part) : behind] for (at, part), (behind, _) in pairwise(tokens)]
    singles = sum(len(letters) == 1 for _, letters in tokens)
    length = sum(len(letters) for _, letters in tokens)
    spelt = singles >= max(_ENOUGH_SINGLES, 0.8 * len(tokens))
    found, found_says = _found(tokens)
    for joiner, count in Counter(gaps).most_common(2):
        words = _joined(tokens, gaps, joiner)
        # Known words run on from one word into the next, and so are found in more places than were taken apart.
        if _said(words, text) >= max(LEAST, _ALIKE * found_says):
            return joiner, words
        # What is put between parts of words in any language; a space alone stands between words of many.
        broken = joiner != " " and count >= len(gaps) / 2 and length <= _PART * len(tokens)
        if (spelt or broken) and len(words) > 2 and _LIKE_WORDS[0] <= length / len(words) <= _LIKE_WORDS[1]:  # noqa: PLR2004
            return joiner, words
    return "", found if spelt or found_says >= LEAST else []


def _joined(tokens: Sequence[tuple[int, str]], gaps: Sequence[str], joiner: str) -> list[list[int]]:
    words: list[list[int]] = []
    for gap, (at, letters) in zip((None, *gaps), tokens, strict=True):
        if gap != joiner:
            words.append([])
        words[-1] += range(at, at + len(letters))
    return words


def _said(words: Sequence[Sequence[int]], text: str) -> float:
    """Give what those words say that were put together."""
    apart = (word for word in words if len(word) >= _SHORT and word[-1] - word[0] >= len(word))
    return sum(weight_of("".join(text[place] for place in word).lower()) for word in apart)


def _found(tokens: Sequence[tuple[int, str]]) -> tuple[list[list[int]], float]:
    """Give the places of the letters of known words and of what is between them, and what those put together say."""
    places: list[int] = []
    for at, letters in tokens:
        places += range(at, at + len(letters))
    joined = "".join(letters for _, letters in tokens).lower()
    if len(joined) != len(places):  # İ becomes two
        return [], 0.0
    words: list[list[int]] = []
    at = 0
    said = 0.0
    for word in segmented(joined):
        words.append(places[at : at + len(word)])
        at += len(word)
        if len(word) >= _SHORT and words[-1][-1] - words[-1][0] >= len(word):
            said += weight_of(word)
    return words, said


def regrouped(view: View) -> Iterator[Reading]:
    """Give what groups of characters are together that look like parts of base64, base32 or hexadecimal."""
    text = view.text
    for start, end in stretches(_groups(text)):
        places = [start + place for found in _GROUP.finditer(text[start:end]) for place in range(*found.span())]
        # White space alone is what makes it one of ours: the rest is read as it stands.
        if _LEAST_ENCODED <= len(places) < end - start:
            yield Reading(view, "".join([text[place] for place in places]), places)


def _groups(text: str) -> Iterator[tuple[int, int, float]]:
    last = 0
    for found in _GROUP.finditer(text):
        start, end = found.span()
        if start - last > _WIDEST_GAP:
            yield start, start, -100.0
        last = end
        group = found[0]
        if group.isdigit() or len(group) == 1:
            yield start, end, 0.4
        elif is_known(group.lower()):
            yield start, end, -1.5
        else:
            yield start, end, 1.0 if _ODD.search(group) else -0.3
