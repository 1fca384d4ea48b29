# SPDX-License-Identifier: Apache-2.0
"""Passport numbers, behind the word: they have no check digit outside the machine-readable zone.

Those of the United States have nine digits, or a letter and eight. Where nothing names another country, a number of
that form is one of theirs.
"""

import re
from typing import Final

from policies.detectors.context import OTHER_NUMBERS, Words, leads
from policies.detectors.contract import Candidate, Detector, Pattern
from policies.detectors.personal.national.number import IDENTIFIER

_WORDS: Final = Words.of(
    "passport", "passports", "passportnumber", "passport no", "reisepass", "reisepassnummer", "pass nr", "passnummer",
    "passeport", "pasaporte", "passaporto", "passaporte", "paspoort", "paspoortnummer",
)  # fmt: skip
_ELSEWHERE: Final = Words.of(
    "german", "british", "uk", "gb", "french", "spanish", "italian", "dutch", "portuguese", "canadian", "indian",
    "australian", "chinese", "japanese", "mexican", "brazilian", "swiss", "irish", "polish", "swedish", "russian",
    "reisepass", "passeport", "pasaporte", "passaporto", "passaporte", "paspoort", "paspoortnummer", "reisepassnummer",
)  # fmt: skip
_FORM_OF_US: Final = re.compile(r"[A-Za-z]?[0-9]{8}|[0-9]{9}")
_FORM: Final = re.compile(
    r"[A-Za-z]{1,2}[0-9]{6,8}|[0-9]{8,9}|[0-9]{2}[A-Za-z]{2}[0-9]{5}"
    r"|[CFGHJK][0-9]{2}[0-9CFGHJKLMNPRTVWXYZ]{6}"  # Germany
)


def _judge(candidate: Candidate) -> float | None:
    if not _FORM.fullmatch(candidate.value) or len(set(candidate.value)) == 1:
        return None
    return 0.7 if leads(candidate.before, _WORDS, OTHER_NUMBERS) else None


def _judge_us(candidate: Candidate) -> float | None:
    if not _FORM_OF_US.fullmatch(candidate.value) or leads(candidate.before, _ELSEWHERE):
        return None
    return _judge(candidate)


US_PASSPORT: Final = Detector(
    name="us-passport",
    kind="US_PASSPORT",
    group="national-id",
    patterns=(Pattern(expression=IDENTIFIER), Pattern(expression=r"\d{9}")),
    judge=_judge_us,
    finds=("passport number: 340020013", "US passport A12345678", "my passport is 340020013."),
    ignores=(
        "340020013",
        "A12345678",
        "German passport 340020013",
        "passport, order 340020013",
        "passport 34002001311",
    ),
)
PASSPORT: Final = Detector(
    name="passport",
    kind="PASSPORT",
    group="national-id",
    patterns=(
        Pattern(expression=IDENTIFIER),
        Pattern(expression=r"\d{8}"),
        Pattern(expression=r"\d{9}"),
        Pattern(expression=r"\d{2}[A-Za-z]{2}\d{5}"),
    ),
    judge=_judge,
    finds=("Reisepass C01X00T47", "British passport 123456789", "passaporto: YA1234567", "passeport n° 12AB34567"),
    ignores=("C01X00T47", "123456789", "passport order 123456789", "passport TRMNFLKPC", "passport 1234567"),
)
