# SPDX-License-Identifier: Apache-2.0
"""What the numbers that states give to people have in common: a form, check digits, and words before them.

A bare row of digits has the right check digit by chance once in ten times or less often, so it is a finding only where
words say what it is. A number in a form of its own (`756.1234.5678.97`) is one by form and check together.

Where a number has a date of birth in it, some checks of the library ask the clock, because nobody is born tomorrow.
"""

import re
from collections.abc import Callable
from typing import Final

from policies.detectors.context import NONE, OTHER_NUMBERS, Words, leads, names
from policies.detectors.contract import Candidate, Detector, Judge, Pattern

# What people call such numbers in any country.
ANY_COUNTRY: Final = Words.of(
    "national id", "national identity", "national identification", "id number", "identity number", "id card",
    "identity card", "identification number", "personal number", "personal id", "citizen id", "tax id", "tax number",
    "tax identification", "taxpayer", "tax file", "fiscal", "fiscal code", "social security", "social insurance",
    "ausweis", "personalausweis", "steuernummer", "documento", "identité", "identidad", "identità", "identidade",
)  # fmt: skip

# Letters, then digits, then both. Many numbers are of this kind; that they share one pattern saves hyperscan from
# following each word of a text once for each of them. The shortest have six characters; what has five, such as each
# `u4e2d` of a text whose characters are escaped, is none.
IDENTIFIER: Final = r"[A-Za-z]{1,6}\d{2}[A-Za-z0-9]{3,30}"


def judge_of(
    is_valid: Callable[[str], bool], words: Words, *, shape: str = "", own: str = "", against: Words = NONE
) -> Judge:
    """Return the judge of a number.

    `shape` is the expression of all its forms, where its pattern takes others too; `own` of those that need no words.
    Where lenient, a wrong check digit behind `words`, the number's own name, is passed over; behind a name that numbers
    of all countries have it is not.
    """
    shaped = re.compile(shape) if shape else None
    form = re.compile(own) if own else None
    others = OTHER_NUMBERS | against
    any_name = words | ANY_COUNTRY

    def judge(candidate: Candidate) -> float | None:
        if shaped and not shaped.fullmatch(candidate.value):
            return None
        if is_valid(candidate.value):
            if leads(candidate.before, any_name, others):
                return 1.0
            own_form = form is not None and form.fullmatch(candidate.value)
            return 0.7 if own_form and not names(candidate.before, others) else None
        return 0.5 if candidate.lenient and leads(candidate.before, words, others) else None

    return judge


def national(
    *,
    name: str,
    kind: str,
    forms: tuple[str, ...],
    is_valid: Callable[[str], bool],
    words: Words,
    finds: tuple[str, ...],
    ignores: tuple[str, ...],
    shape: str = "",
    own: str = "",
) -> Detector:
    """Return the detector of a number that a state gives to people."""
    return Detector(
        name=name,
        kind=kind,
        group="national-id",
        patterns=tuple(Pattern(expression=form) for form in forms),
        judge=judge_of(is_valid, words, shape=shape, own=own),
        finds=finds,
        ignores=ignores,
    )
