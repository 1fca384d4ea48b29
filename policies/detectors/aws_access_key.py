# SPDX-License-Identifier: Apache-2.0
"""AWS credentials: access key ids, and the secret access key where it stands after a keyword that names it.

An id is found wherever its 20 characters stand, also inside a longer word: its prefix and alphabet are rare enough. A
secret has no form of its own, so that its keyword must stand before it; the value is taken to its end, since what
follows such a keyword is a secret of some kind even where it is longer than AWS makes them.
"""

import re
from dataclasses import dataclass
from typing import ClassVar, Final

from policies.detectors.detector import CARD_DIGITS, Finding, Scan

_PREFIX: Final = "(?:AKIA|ASIA|ABIA|ACCA|A3T[A-Z0-9])"
_REST_OF_DIGITS: Final = rf"(?:[0-9]{{1,{CARD_DIGITS}}}(?![0-9]))?"  # rule 2 of the detectors
_ID: Final = re.compile(rf"{_PREFIX}[A-Z0-9]{{16}}{_REST_OF_DIGITS}")
_ID_LENGTH: Final = 20
_ID_BEGUN: Final = re.compile(
    rf"(?:{_PREFIX}[A-Z0-9]{{0,15}}|{_PREFIX}[A-Z0-9]{{16}}[0-9]{{0,{CARD_DIGITS}}}"
    r"|A|AK|AKI|AS|ASI|AB|ABI|AC|ACC|A3|A3T)\Z",
)

_MOST_BEGUN: Final = 3  # characters of a prefix that is not whole

_MAX_SECRET: Final = 128
_SECRET: Final = re.compile(rf"[A-Za-z0-9/+]{{40,{_MAX_SECRET}}}{_REST_OF_DIGITS}")
_SECRET_RUN: Final = re.compile(rf"[A-Za-z0-9/+]{{0,{_MAX_SECRET + CARD_DIGITS + 1}}}")
_KEYWORD: Final = re.compile(
    r"(?ai:secret[_\-. ]?(?:access[_\-. ]?)?key)"
    r"[^A-Za-z0-9/+]{1,12}(?:(?:is|was|to|value)[^A-Za-z0-9/+]{1,8})?(?=[A-Za-z0-9/+])",
)
_KEYWORD_REACH: Final = 64  # more than the longest keyword with what may stand between it and the secret


@dataclass(frozen=True, slots=True)
class AwsAccessKey:
    name: ClassVar[str] = "aws-access-key"
    # A secret, whose end is not seen, behind or within a certain secret and id that overlap.
    max_hold: ClassVar[int] = 2 * (_MAX_SECRET + CARD_DIGITS) + 2 * (_ID_LENGTH + CARD_DIGITS)
    lookbehind: ClassVar[int] = _KEYWORD_REACH
    clue: ClassVar[str] = rf"{_PREFIX}|(?i:secret)"
    finds: ClassVar[tuple[str, ...]] = (
        "AKIAIOSFODNN7EXAMPLE",
        "id=ASIAIOSFODNN7EXAMPLE;",
        "xxAKIAIOSFODNN7EXAMPLExx",
        "aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        '{"SecretAccessKey": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"}',
        "Your secret access key is wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY.",
        "AWS_SECRET_KEY:wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    )
    ignores: ClassVar[tuple[str, ...]] = (
        "AKIAIOSFODNN7EXAMPL",
        "akiaiosfodnn7example",
        "AKIA-IOSFODNN7EXAMPLE",
        "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        "aws_secret_access_key = YOUR_SECRET_ACCESS_KEY_GOES_HERE_PLEASE_TRUST_ME",
        "The secret key is under the mat.",
        "secret access key (see chapter 4): wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    )

    def scan(self, text: str, start: int, *, final: bool) -> Scan:
        end = len(text)
        spans = [found.span() for found in _ID.finditer(text, start)]
        undecided = end
        for run_start in _secret_starts(text, start):
            run = _SECRET_RUN.match(text, run_start)
            if not final and run and run.end() == end and end - run_start <= _MAX_SECRET + CARD_DIGITS:
                undecided = min(undecided, run_start)
            elif secret := _SECRET.match(text, run_start):
                spans.append(secret.span())
        if not final:
            begun = _ID_BEGUN.search(text, max(start, end - _ID_LENGTH - CARD_DIGITS))
            undecided = min(undecided, begun.start() if begun else end)
        return _united(spans, undecided)

    def undecided_from(self, text: str, start: int) -> int:
        end = len(text)
        tail = max(start, end - _MOST_BEGUN)
        if text.find("A", tail) == -1:  # without the clue, no more of an id can be there than an unfinished prefix
            return end
        begun = _ID_BEGUN.search(text, tail)
        return begun.start() if begun else end


def _secret_starts(text: str, start: int) -> list[int]:
    """Return where, at or after `start`, a value begins that a keyword names."""
    reach = max(0, start - _KEYWORD_REACH)
    if "secret" not in text[reach:].lower():  # twenty times as fast as the pattern, and nearly always the answer
        return []
    return [keyword.end() for keyword in _KEYWORD.finditer(text, reach) if keyword.end() >= start]


def _united(spans: list[tuple[int, int]], undecided: int) -> Scan:
    """Return the spans with overlapping ones united, as far as none that may still come can overlap them."""
    united: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if united and start < united[-1][1]:
            united[-1] = (united[-1][0], max(united[-1][1], end))
        else:
            united.append((start, end))
    while united and united[-1][1] > undecided:
        undecided = min(undecided, united.pop()[0])
    return Scan(tuple(Finding(start, end) for start, end in united), undecided)
