# SPDX-License-Identifier: Apache-2.0
"""How a text is built, whatever it says: measures from 0 to 1, and signals where one is high.

None of them is much by itself: prose has orders in it, code has marks, and names are written in two scripts. So each
weighs little, and they are there to add to what the rules and the classifier say.
"""

import math
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from policies.scanning.fold import folded
from policies.screening.lexicon import Meaning, lexicon, plainly
from policies.screening.model import Layer, Origin, Signal
from policies.screening.words import is_known

# To be raised with any change of a measure.
STRUCTURE_VERSION: Final = "1"

# Between letters of the alphabet none of these is ever needed; tags and overrides are needed nowhere in a request.
_BETWEEN: Final = re.compile("(?<=[A-Za-z])[\u00ad\u034f\u180e\u200b-\u200f\u2060-\u2064\ufeff]+(?=[A-Za-z])")
_NEVER: Final = re.compile("[\u202d\u202e\U000e0020-\U000e007e]|[\ufe00-\ufe0f\U000e0100-\U000e01ef]{3}")
_MARKS: Final = re.compile("[\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u20d0-\u20ff]{2,}+")
_STYLED: Final = re.compile("[\uff21-\uff3a\uff41-\uff5a\u24b6-\u24e9\U0001d400-\U0001d7ff\U0001f130-\U0001f189]{2,}+")
_MIXED: Final = re.compile("[A-Za-z][\u0370-\u052f]|[\u0370-\u052f][A-Za-z]")
_SCRIPTS: Final = (
    ("latin", re.compile("[A-Za-z\u00c0-\u024f]")),
    ("greek", re.compile("[\u0370-\u03ff]")),
    ("cyrillic", re.compile("[\u0400-\u052f]")),
    ("arabic", re.compile("[\u0590-\u06ff]")),
    ("east", re.compile("[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3]")),
)
_WORD: Final = re.compile(r"[^\W\d_]+")
_TOKEN: Final = re.compile(r"\S+")
_PUNCTUATION: Final = re.compile(r"[^\w\s]")
_DELIMITERS: Final = re.compile(r"[-=#*~_+|<>/\\]{4,}+|#{2,}+|[\[{(<]{2,}+")
_TURNS: Final = re.compile(
    r"(?:^|\n)[ \t]{0,4}(?:#{1,3} ?)?(?:human|user|assistant|ai|bot|chatgpt|q|a|question|answer|input|output) {0,2}:",
    re.IGNORECASE,
)
_YOU: Final = re.compile(r"\b(?:you|your|you're|yourself|you'll|u)\b")
_TAIL_CHARS: Final = 160
_LATE: Final = 300
_BEFORE_LATE: Final = 600
_LONG_TOKEN: Final = 24
_FEW_WORDS: Final = 12

_ORDERING: Final = frozenset({"ACT", "REVEAL", "DISREGARD", "MUST", "PERSONA", "BEGIN"})


@dataclass(frozen=True, slots=True)
class _Read:
    """What several measures look at."""

    text: str
    plain: str
    words: Sequence[str]
    meanings: Sequence[Meaning]


def _share(count: float, of: float, full: float) -> float:
    """Give `count` for each of `of`, where `full` is as much as there can be to say."""
    return min(1.0, count / max(of, 1) / full)


def _hidden(read: _Read) -> float:
    if read.text.isascii():
        return 0.0
    never = sum(len(found) for found in _NEVER.findall(read.text))
    return min(1.0, never / 3) or _share(len(_BETWEEN.findall(read.text)), len(read.words), 0.2)


def _unusual_letters(read: _Read) -> float:
    if read.text.isascii():
        return 0.0
    odd = sum(len(pattern.findall(read.text)) for pattern in (_MARKS, _STYLED, _MIXED))
    return _share(odd, len(read.words), 0.3)


def _gibberish_tail(read: _Read) -> float:
    """Say how little the end is like words, against all before it: so look suffixes that were found by search."""
    if len(read.plain) < _TAIL_CHARS:
        return 0.0
    tail, before = read.plain[-_TAIL_CHARS:], read.plain[:-_TAIL_CHARS]
    return max(0.0, min(1.0, 1.5 * (_oddness(tail) - _oddness(before[-4 * _TAIL_CHARS :])) - 0.3))


def _oddness(text: str) -> float:
    words = _WORD.findall(text)
    if not words:
        return 0.0
    unknown = sum(not is_known(word) for word in words) / len(words)
    return min(1.0, unknown / 2 + len(_PUNCTUATION.findall(text)) / max(len(text.split()), 1) / 2)


def _dense_tokens(read: _Read) -> float:
    """Say how much of the text is in long tokens of as many different characters as encodings have."""
    dense = sum(len(token) for token in _TOKEN.findall(read.plain) if len(token) >= _LONG_TOKEN and _entropy(token) > 4)  # noqa: PLR2004  # bits a character; words have some 3
    return _share(dense, len(read.plain), 0.5)


def _entropy(token: str) -> float:
    counts = Counter(token[:512])
    total = sum(counts.values())
    return -sum(count / total * math.log2(count / total) for count in counts.values())


def _orders(read: _Read) -> float:
    return _share(sum(meaning.of in _ORDERING for meaning in read.meanings), max(len(read.words), _FEW_WORDS), 0.35)


def _addresses_reader(read: _Read) -> float:
    return _share(len(_YOU.findall(read.plain)), len(read.words), 0.12)


def _addresses_model(read: _Read) -> float:
    return _share(sum(meaning.of == "MODEL" for meaning in read.meanings), max(len(read.words), _FEW_WORDS), 0.08)


def _delimiters(read: _Read) -> float:
    return _share(len(_DELIMITERS.findall(read.plain)), len(read.words), 0.1)


def _script_switches(read: _Read) -> float:
    scripts = [_script(word) for word in _TOKEN.findall(read.text[:20_000])] if not read.text.isascii() else []
    known = [script for script in scripts if script]
    switches = sum(one != other for one, other in pairwise(known))
    return _share(switches, len(known), 0.3) if switches else 0.0


def _script(word: str) -> str:
    return next((name for name, pattern in _SCRIPTS if pattern.search(word)), "")


def _late_orders(read: _Read) -> float:
    """Say how much more the end of a long text orders than what stands before it."""
    if len(read.plain) < _BEFORE_LATE + _LATE:
        return 0.0
    since = len(read.plain) - _LATE
    orders = [meaning.start for meaning in read.meanings if meaning.of in _ORDERING]
    late = sum(start >= since for start in orders)
    before = (len(orders) - late) * _LATE / since
    return max(0.0, min(1.0, (late - 2 * before) / 6))


def _turns(read: _Read) -> float:
    return min(1.0, len(_TURNS.findall(read.plain)) / 16)


def _capitals(read: _Read) -> float:
    words = [word for word in _WORD.findall(folded(read.text)) if len(word) > 2]  # noqa: PLR2004
    return _share(sum(word.isupper() for word in words), len(words), 0.5)


# In the order of the features: only append, or raise the version of those.
_MEASURES: Final[Mapping[str, tuple[Callable[[_Read], float], float]]] = {
    # The measure, and how much it weighs as a signal when it is full.
    "hidden-characters": (_hidden, 0.45),
    "unusual-letters": (_unusual_letters, 0.35),
    "gibberish-tail": (_gibberish_tail, 0.35),
    "dense-tokens": (_dense_tokens, 0.15),
    "orders": (_orders, 0.1),
    "addresses-reader": (_addresses_reader, 0.1),
    "addresses-model": (_addresses_model, 0.15),
    "delimiters": (_delimiters, 0.1),
    "script-switches": (_script_switches, 0.15),
    "late-orders": (_late_orders, 0.2),
    "many-turns": (_turns, 0.3),
    "capitals": (_capitals, 0.05),
}
MEASURES: Final = tuple(_MEASURES)
# A measure below this is what any text may have.
_NOTABLE: Final = 0.5


def measures_of(text: str, meanings: Sequence[Meaning] | None = None) -> tuple[float, ...]:
    """Return the measures of a text, in the order of MEASURES; `meanings` are those of `plainly(text)`, if known."""
    plain = plainly(text)
    read = _Read(text, plain, _WORD.findall(plain), lexicon().meanings(plain) if meanings is None else meanings)
    return tuple(round(measure(read), 4) for measure, _ in _MEASURES.values())


def signals_of(text: str, origin: Origin) -> tuple[Signal, ...]:
    """Return a signal for each measure that is high, the heaviest first; who gives orders may be full of them."""
    signals = [
        Signal(layer=Layer.STRUCTURE, name=name, version=STRUCTURE_VERSION, score=round(weight * measure, 3))
        for (name, (_, weight)), measure in zip(_MEASURES.items(), measures_of(text), strict=True)
        if measure >= _NOTABLE and not (origin.orders and name in _OF_ORDERS)
    ]
    return tuple(sorted(signals, key=lambda signal: (-signal.score, signal.name)))


_OF_ORDERS: Final = frozenset({"orders", "addresses-reader", "addresses-model", "late-orders", "delimiters"})
