# SPDX-License-Identifier: Apache-2.0
"""Whether a value looks drawn by chance, or written by a person: as a name, a word, a path, a placeholder.

Keys are drawn by chance; what stands in their place in documentation and code is not. Everything here is a pure
function of the value, linear in its length, and raises nothing.
"""

import itertools
import math
import re
from collections import Counter
from typing import Final

# Bits a character, over all characters of a token with a form of its own: 30 drawn characters have above 3.5, one
# character repeated has none.
FLOOR: Final = 2.8

_STAND_IN: Final = re.compile(
    r"(?i:(?:^|[^a-z])your?[_\- .]|[_\-](?:here|goes)(?![a-z])|placeholder|change[_\- ]?me|redacted"
    r"|replace[_\- ]?(?:me|with)|insert[_\- ]|x{6}|\*{3}|#{4}|\.{3})|\$\{|\{\{|<[^>]{0,80}>|%\(|\$\(",
)
# Which letters often follow which in English: so do four of five in words, and one in three by chance.
_FOLLOWERS: Final = {
    "a": "bcdgilmnprstvy",
    "b": "aeloruy",
    "c": "aehiklort",
    "d": "aeiorsu",
    "e": "acdeflmnrstvxy",
    "f": "aefilortu",
    "g": "aehiloru",
    "h": "aeiotu",
    "i": "cdefglmnorstv",
    "k": "eins",
    "l": "adefiklmotuvy",
    "m": "aeiosuy",
    "n": "adegiostu",
    "o": "bdfgklmnoprstuw",
    "p": "aeloprsu",
    "q": "u",
    "r": "acdegikmnostuvy",
    "s": "acehikmopstuw",
    "t": "aehiorstuwy",
    "u": "bcdglmnprst",
    "v": "aei",
    "w": "aio",
    "y": "eo",
}
_COMMON_PAIRS: Final = frozenset(first + second for first, seconds in _FOLLOWERS.items() for second in seconds)
_LETTERS: Final = re.compile(r"[A-Za-z]+")
_HUMPS: Final = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")
_UUID: Final = re.compile(r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}\Z")


def entropy(value: str) -> float:
    """Return Shannon's entropy of the characters of `value`, in bits a character."""
    length = len(value)
    return -sum(count / length * math.log2(count / length) for count in Counter(value).values())


def is_uuid(value: str) -> bool:
    return _UUID.match(value) is not None


def is_stand_in(value: str) -> bool:
    """Tell whether `value` only stands where a value belongs: `your-key-here`, `${KEY}`, `xxxx`, the alphabet."""
    return _STAND_IN.search(value) is not None or _is_series(value)


def _is_series(value: str) -> bool:
    """Tell whether most characters are the one before, or the one that follows it in the alphabet."""
    if len(value) < 8:  # noqa: PLR2004  # in less than eight, a few such pairs say nothing
        return len(value) > 2 and len(set(value)) == 1  # noqa: PLR2004  # of one or two, nothing can be said
    steps = [ord(b) - ord(a) for a, b in itertools.pairwise(value)]
    same, next_ones = steps.count(0), steps.count(1)
    return (
        same * 2 > len(steps)
        or next_ones * 6 > len(steps) * 5
        or (next_ones * 3 > len(steps) * 2 and len(set(value)) * 10 >= len(value) * 9)
    )


def wordiness(value: str) -> float:
    """Return which share of the pairs of letters is frequent in English, from 0 to 1; 0 where there are no pairs."""
    pairs = [run[i : i + 2].lower() for run in _LETTERS.findall(value) for i in range(len(run) - 1)]
    return sum(pair in _COMMON_PAIRS for pair in pairs) / len(pairs) if pairs else 0.0


def evenness(value: str) -> float:
    """Return the entropy of `value` as a share of the most that its length allows, from 0 to 1."""
    return entropy(value) / math.log2(len(value)) if len(value) > 1 else 0.0


def humps(value: str) -> list[str]:
    """Return the words, abbreviations and numbers that a name of code is made of."""
    return _HUMPS.findall(value)
