# SPDX-License-Identifier: Apache-2.0
"""Social security numbers of the United States, and the tax numbers (ITIN) that share their form.

Facts. A social security number is area, group and serial number: no part is all zeros; the area is not 666 nor 900 and
above. Since 2011 areas are given at random, so that there is no more to check. An ITIN begins with 9, and its group
is one of those that the IRS gives.
"""

import re
from typing import Final

from policies.detectors.context import OTHER_NUMBERS, Words, leads, names
from policies.detectors.contract import Candidate, Detector, Pattern
from policies.detectors.digits import digits_of

_SSN_WORDS: Final = Words.of(
    "ssn", "ssns", "social", "social security", "soc sec", "ss", "sozialversicherungsnummer", "sécurité sociale",
    "securite sociale", "seguro social", "seguridad social", "previdenza sociale", "segurança social",
)  # fmt: skip
_ITIN_WORDS: Final = Words.of("itin", "itins", "tin", "taxpayer", "tax id", "tax number", "individual taxpayer")
_SSN: Final = re.compile(r"(?!000|666|9)[0-9]{3}(?!00)[0-9]{2}(?!0000)[0-9]{4}")
_ITIN: Final = re.compile(r"9[0-9]{2}(?:5[0-9]|6[0-5]|7[0-9]|8[0-8]|9[0-2]|9[4-9])(?!0000)[0-9]{4}")
_DASHED: Final = re.compile(r"[0-9]{3}-[0-9]{2}-[0-9]{4}")
_PATTERNS: Final = (
    Pattern(expression=r"\d{3}(?:-\d{2}-|\.\d{2}\.| \d{2} )\d{4}"),
    Pattern(expression=r"\d{9}"),
)


def _judge_ssn(candidate: Candidate) -> float | None:
    digits = digits_of(candidate.value)
    led = leads(candidate.before, _SSN_WORDS, OTHER_NUMBERS | _ITIN_WORDS)
    dashed = _DASHED.fullmatch(candidate.value) is not None
    if _SSN.fullmatch(digits):
        if led:
            return 1.0
        return 0.7 if dashed and not names(candidate.before, OTHER_NUMBERS) else None
    if not candidate.lenient or _ITIN.fullmatch(digits) or digits == "000000000":
        return None
    return 0.5 if led else None


def _judge_itin(candidate: Candidate) -> float | None:
    if not _ITIN.fullmatch(digits_of(candidate.value)):
        return None
    if leads(candidate.before, _ITIN_WORDS | _SSN_WORDS, OTHER_NUMBERS):
        return 1.0
    return 0.7 if _DASHED.fullmatch(candidate.value) else None


US_SSN: Final = Detector(
    name="us-ssn",
    kind="US_SSN",
    group="national-id",
    patterns=_PATTERNS,
    judge=_judge_ssn,
    finds=("078-05-1120", "SSN 219 09 9999", "my social security number is 219099999", "ssn=219.09.9999;"),
    ignores=(
        "000-12-3456",
        "666-12-3456",
        "912-00-3456",
        "219-00-9999",
        "219-09-0000",
        "219099999",
        "order 219-09-9999",
        "1219-09-9999",
        "219 09 9999",
        "[redacted:us-ssn] 219099999",
    ),
)

US_ITIN: Final = Detector(
    name="us-itin",
    kind="US_ITIN",
    group="national-id",
    patterns=_PATTERNS,
    judge=_judge_itin,
    finds=("912-70-3456", "ITIN 912 88 3456", "taxpayer number: 912943456"),
    ignores=("912-69-3456", "912-93-3456", "812-70-3456", "912703456", "912-70-34567"),
)
