# SPDX-License-Identifier: Apache-2.0
"""How much a value looks like a key that was drawn by chance, and not like a name, a path, a version, a number.

The bounds were set on texts with keys and texts without: a word of English has nine of ten pairs of letters that are
frequent, a key three of ten.
"""

# ruff: noqa: PLR2004

import enum
import re
from typing import Final

from policies.detectors.secrets.randomness import FLOOR, entropy, evenness, is_stand_in, is_uuid, wordiness

# Names of code: `DB_PASSWORD_1`, `settings.secret_key`, `read-only-token`; with at most two digits at the end.
_CODE: Final = re.compile(
    r"[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+|[A-Za-z_][A-Za-z_]*\d{0,2}(?:(?:\.|::|->)[A-Za-z_][A-Za-z_]*\d{0,3})+|[A-Za-z][A-Za-z_-]*\d{0,2}|[a-z]+\d?(?:-[a-z]+\d?)*-\d+",
)
_PLACE: Final = re.compile(
    r"(?:[a-z][a-z0-9+.-]*:)?//|\.{0,2}/[a-z]|~/|[A-Za-z]:[\\/]|(?:www|api|login)\.", re.IGNORECASE
)
_FILE: Final = re.compile(
    r"\.(?:pem|key|cer|crt|p12|pfx|json|ya?ml|txt|py|js|ts|go|rb|java|cs|php|html?|xml|cfg|conf|ini|png|jpe?g|gif|svg|com|"
    r"net|org|io|dev|local|md|csv|log|lock|toml|sh|env|jks|keytab)(?:[:/][A-Za-z0-9/]*)?\Z",
    re.IGNORECASE,
)
# Versions, dates, times, sizes, addresses: digits with at most a few letters between them.
_NUMBERS: Final = re.compile(
    r"[A-Za-z]{0,3}\d{1,10}(?:[.:/_%+-][A-Za-z]{0,3}\d{1,10}|[.:_-](?:alpha|beta|rc|snapshot))*[A-Za-z%]{0,3}",
    re.IGNORECASE,
)
_HEX: Final = re.compile(r"(?:0x)?(?:[0-9a-f]+|[0-9A-F]+)\Z")
_RUNS: Final = re.compile(r"[a-z]+|[A-Z]+|\d+")
_ALGORITHM: Final = re.compile(r"(?:sha|md|aes|rsa|ecdsa|ed|x|hmac|hs|rs|es|ps|curve|secp|tls)[-_]?\d", re.IGNORECASE)

_SHORT, _LONG, _MANY_DIGITS = 16, 24, 15


class Sort(enum.IntEnum):
    """How much a value looks like a key, the least first."""

    NONE = 0
    LIKELY = 1
    RANDOM = 2
    CERTAIN = 3


def sort(value: str) -> Sort:
    """Return how much `value` looks like a key."""
    value = value.strip("!*^")
    if is_uuid(value):
        return Sort.RANDOM
    if is_stand_in(value) or (_CODE.fullmatch(value) and not _is_letters_by_chance(value)):
        return Sort.NONE
    if _PLACE.match(value) or _FILE.search(value) or (_ALGORITHM.match(value) and len(value) < _LONG):
        return Sort.NONE
    if value.isdigit():
        return Sort.LIKELY if len(value) >= _MANY_DIGITS else Sort.NONE
    if _NUMBERS.fullmatch(value):
        return Sort.NONE
    return _by_chance(value)


def _is_letters_by_chance(value: str) -> bool:
    """Tell whether letters alone are no words: a key of letters only, or the like."""
    return len(value) >= _SHORT and wordiness(value) < 0.45 and evenness(value) > 0.75


def _by_chance(value: str) -> Sort:
    if _HEX.match(value) and len(value) >= _SHORT:
        return Sort.NONE if entropy(value) < FLOOR else Sort.CERTAIN if len(value) >= _LONG else Sort.RANDOM
    if not any(each.isdigit() for each in value) and not _is_letters_by_chance(value):
        return Sort.NONE
    if len(value) >= _LONG:
        return _of_long(value)
    return _of_middling(value) if len(value) >= _SHORT else _of_short(value)


# A name has few turns from letters to digits, or from one case to the other, for its length, and its letters are words.


def _turns(value: str) -> float:
    return len(_RUNS.findall(value)) / len(value)


def _of_long(value: str) -> Sort:
    words, turns = wordiness(value), _turns(value)
    if evenness(value) < 0.68 or (words > 0.62 and turns < 0.4):
        return Sort.NONE
    if words < 0.5 and turns > 0.3:
        return Sort.CERTAIN
    return Sort.RANDOM if words < 0.55 else Sort.LIKELY


def _of_middling(value: str) -> Sort:
    words, turns = wordiness(value), _turns(value)
    if evenness(value) < 0.7 or (words > 0.45 and turns < 0.2) or (words > 0.6 and turns < 0.4):
        return Sort.NONE
    return Sort.RANDOM if words < 0.5 and turns > 0.35 else Sort.LIKELY


def _of_short(value: str) -> Sort:
    if len(_RUNS.findall(value)) < 4 or wordiness(value) > 0.55 or evenness(value) < 0.75:
        return Sort.NONE
    return Sort.RANDOM if len(value) >= 14 and _turns(value) > 0.35 else Sort.LIKELY
