# SPDX-License-Identifier: Apache-2.0
"""What the numbers that states give to people have in common: a form, check digits, and words before them.

A bare row of digits has the right check digit by chance once in ten times or less often, so it is a finding only where
words say what it is. A number in a form of its own (`756.1234.5678.97`) is one by form and check together.
"""

import re
from collections.abc import Callable
from typing import Final

from policies.detectors.context import NONE, OTHER_NUMBERS, Words, is_own_hash, leads, names
from policies.detectors.contract import ALPHANUMERIC, Candidate, Detector, Judge, Pattern

# What people call such numbers in any country.
ANY_COUNTRY: Final = Words.of(
    "national id", "national identity", "national identification", "id number", "identity number", "id card",
    "identity card", "identification number", "personal number", "personal id", "citizen id", "tax id", "tax number",
    "tax identification", "taxpayer", "tax file", "fiscal", "fiscal code", "social security", "social insurance",
    "ausweis", "personalausweis", "steuernummer", "documento", "identité", "identidad", "identità", "identidade",
)  # fmt: skip

# Asterisks too: what redaction leaves of a masked value is no number.
_ALONE: Final = ALPHANUMERIC + "*"


def judge_of(is_valid: Callable[[str], bool], words: Words, *, own: str = "", against: Words = NONE) -> Judge:
    """Return the judge of a number.

    `own` is the expression of the forms that need no words. Where lenient, a wrong check digit behind `words`, the
    number's own name, is passed over; behind a name that numbers of all countries have it is not.
    """
    form = re.compile(own) if own else None
    others = OTHER_NUMBERS | against
    any_name = words | ANY_COUNTRY

    def judge(candidate: Candidate) -> float | None:
        if is_own_hash(candidate.before):
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
    own: str = "",
) -> Detector:
    """Return the detector of a number that a state gives to people."""
    return Detector(
        name=name,
        kind=kind,
        group="national-id",
        patterns=tuple(Pattern(expression=form, alone=_ALONE) for form in forms),
        judge=judge_of(is_valid, words, own=own),
        finds=finds,
        ignores=ignores,
    )
