# SPDX-License-Identifier: Apache-2.0
"""Numbers of driving licences, behind the word: each state has a form of its own, and hardly any a check digit.

The licences of Great Britain have a form that nothing else has: five letters of the name, the date of birth, initials.
"""

import re
from typing import Final

from policies.detectors.context import OTHER_NUMBERS, Words, leads
from policies.detectors.contract import Candidate, Detector, Pattern
from policies.detectors.personal.national.number import IDENTIFIER

_WORDS: Final = Words.of(
    "driver license", "driver licence", "driver's license", "driver's licence", "drivers license", "drivers licence",
    "driving license", "driving licence", "driver license number", "driver license no", "dl", "dln",
    "operator license", "driving permit", "führerschein", "führerscheinnummer", "permis de conduire", "permis",
    "licencia de conducir", "permiso de conducir", "carnet de conducir", "patente di guida", "patente",
    "carta de condução", "cnh", "rijbewijs", "rijbewijsnummer",
)  # fmt: skip
_OTHERS: Final = OTHER_NUMBERS | Words.of("plate", "plates", "software", "key", "registration", "phone", "ssn")
_BRITISH: Final = re.compile(
    r"[A-Z]{2}[A-Z9]{3}[0-9](?:0[1-9]|1[0-2]|5[1-9]|6[0-2])(?:0[1-9]|[12][0-9]|3[01])[0-9][A-Z9]{2}[0-9A-Z]{3}"
)
_FORM: Final = re.compile(
    r"[A-Za-z]{1,3}[0-9]{5,14}[A-Za-z]?|[0-9]{2}[A-Za-z]{3}[0-9]{5}|[A-Za-z]?[0-9][0-9 -]{5,}|" + _BRITISH.pattern
)
_DIFFERENT: Final = 2


def _judge(candidate: Candidate) -> float | None:
    if not _FORM.fullmatch(candidate.value) or len(set(candidate.value)) < _DIFFERENT:
        return None
    led = leads(candidate.before, _WORDS, _OTHERS)
    if _BRITISH.fullmatch(candidate.value):
        return 1.0 if led else 0.7
    return 0.7 if led else None


DRIVING_LICENCE: Final = Detector(
    name="driving-licence",
    kind="US_DRIVER_LICENSE",
    group="national-id",
    patterns=(
        Pattern(expression=IDENTIFIER),
        *(Pattern(expression=rf"\d{{{length}}}") for length in (7, 8, 9, 10, 12)),
        Pattern(expression=r"\d{2}[A-Za-z]{3}\d{5}"),
        Pattern(expression=r"\d{2,4}[ -]\d{2,4}[ -]\d{2,5}(?:[ -]\d{1,4}){0,2}"),
        Pattern(expression=r"[A-Za-z]\d{2,4}-\d{3,5}-\d{2,5}(?:-\d{1,4}){0,2}"),
    ),
    judge=_judge,
    finds=(
        "Driver's license: A1234567",
        "driving licence no. 123456789",
        "DL# D123-456-78-901-0",
        "MORGA753116SM9IJ",
        "Driving license number: S1234-56789-01234",
        "Führerscheinnummer: B072512345",
        "driver’s licence 2270-66-1551",
    ),
    ignores=(
        "A1234567",
        "123456789",
        "driver's license plate 1234567",
        "license key A1234567",
        "driver license, order 123456789",
        "MORGA793116SM9IJ",
    ),
)
