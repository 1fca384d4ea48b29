# SPDX-License-Identifier: Apache-2.0
"""Tokens that have a form of their own: a prefix or a structure, an alphabet, a length.

`form` makes a detector of one. Its samples follow from one token a form: the token alone, quoted after a name, and in
a sentence are found; half of it, its prefix alone, and the mask of it that documentation prints are not. A sample is
written in two halves, so that the scanners of forges take it for none.
"""

from collections.abc import Sequence
from typing import Final

from policies.detectors.contract import SECRET, Candidate, Detector, Judge, Pattern
from policies.detectors.secrets.randomness import FLOOR, entropy, is_stand_in

# The characters of base64 for URLs: a token of them ends where none of them follows.
WORD: Final = "A-Za-z0-9_-"
BASE64: Final = "A-Za-z0-9+/"
UUID_FORM: Final = r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}"

# Drawn once by chance, for samples.
HEX: Final = (
    "58b2a205b5bcb37d2f2a4276b0bd06548bcded807efcfe3fb2c3ea9359680cbf9a0f4d4f7f3b2c9780175e3f918f2191"
    "61616c76598523f8a6e768d3705797a86cb1047db8c2b7a8912de18ead32b53e40fb73d93a3c91b089f7f6bc9fbe57a9"
)
ALNUM: Final = (
    "tYn1sCIvaUojhbOIDYvGmZ4qTOWIsY2e2CnjTaDjgzdWu252SYlE4Ivwpm1eUArqs9pya6juCAGLEcdO67MbO63ZJzqk5v7c"
    "zXIgqdCTlIMhfWvRLDA5TYt9NGl1iaJdutEnCujAO7RCalcxuyBop5aVkxGzb89pc86E7oJafq6DOtoVJeK0FNjNCehkWsFT"
)
LOWER: Final = "65xoj3r1r29b3tfp5p757dntbt03vpoavijfgdsncyibm0tqz1kbthcm94vhjbhpto0ln7c5wdzsgb3xtu7ptazpzw8ayhvh"
UPPER: Final = "YIQ4LIHJRD7SXVRW34RHT5SF3NMBJNYXU04VT0VDNCLCH82U"
LETTERS: Final = "lAqpNxDHGHioLgyHSdPrWyMxOtUzQWhqTJwzHNvzLwnlTrKL"
DIGITS: Final = "31919038232675749508405726282737"
UUID: Final = "58b2a205-b5bc-437d-9f2a-4276b0bd0654"


def varied(floor: float = FLOOR) -> Judge:
    """Return a judge that takes what has `floor` bits a character, and is not what stands in for a token."""

    def judge(candidate: Candidate) -> float | None:
        return None if entropy(candidate.value) < floor or is_stand_in(candidate.value) else 1.0

    return judge


_VARIED: Final = varied()


def form(  # a row of a table: what differs between detectors is named where it does
    name: str,
    group: str,
    *patterns: str | Pattern,
    tokens: Sequence[tuple[str, str]],
    ignores: tuple[str, ...] = (),
    judge: Judge = _VARIED,
) -> Detector:
    """Return the detector of tokens that look like `patterns`; `tokens` are samples, each cut in two halves."""
    return Detector(
        name=name,
        kind=SECRET + name,
        group=group,
        patterns=tuple(each if isinstance(each, Pattern) else Pattern(expression=each) for each in patterns),
        judge=judge,
        finds=tuple(sample for head, tail in tokens for sample in _in_texts(head + tail)),
        ignores=(*(sample for head, tail in tokens for sample in _spoilt(head, tail)), *ignores),
    )


def word(expression: str) -> Pattern:
    """Return the pattern of a token of which `-` and `_` are characters too."""
    return Pattern(expression=expression, alone=WORD, alone_before=_before(expression, WORD))


def base64(expression: str) -> Pattern:
    """Return the pattern of a token that is base64, or ends so."""
    return Pattern(expression=expression, alone=BASE64 + "=", alone_before=_before(expression, BASE64))


def _before(expression: str, characters: str) -> str:
    """Return what may not stand before a token: all its characters, where it has no greatest length.

    Else it could begin behind each mark in a long run of them, and all of those tokens were judged.
    """
    return characters if ",}" in expression else "A-Za-z0-9"


def _in_texts(token: str) -> tuple[str, ...]:
    return (token, f'value = "{token}"', f"It is {token}, and no other.")


def _spoilt(head: str, tail: str) -> tuple[str, ...]:
    return (head, head + tail[:2], head + "x" * len(tail))
