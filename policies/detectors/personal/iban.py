# SPDX-License-Identifier: Apache-2.0
"""International bank account numbers (ISO 13616): a country, its length and form, and two check digits modulo 97."""

import re
from typing import Final

from stdnum import iban

from policies.detectors.contract import Candidate, Detector, Pattern
from policies.detectors.personal.national.number import IDENTIFIER

_LENGTHS: Final = {
    "AD": 24, "AE": 23, "AL": 28, "AT": 20, "AZ": 28, "BA": 20, "BE": 16, "BG": 22, "BH": 22, "BI": 27, "BR": 29,
    "BY": 28, "CH": 21, "CR": 22, "CY": 28, "CZ": 24, "DE": 22, "DJ": 27, "DK": 18, "DO": 28, "EE": 20, "EG": 29,
    "ES": 24, "FI": 18, "FK": 18, "FO": 18, "FR": 27, "GB": 22, "GE": 22, "GI": 23, "GL": 18, "GR": 27, "GT": 28,
    "HN": 28, "HR": 21, "HU": 28, "IE": 22, "IL": 23, "IQ": 23, "IS": 26, "IT": 27, "JO": 30, "KW": 30, "KZ": 20,
    "LB": 28, "LC": 32, "LI": 21, "LT": 20, "LU": 20, "LV": 21, "LY": 25, "MC": 27, "MD": 24, "ME": 22, "MK": 19,
    "MN": 20, "MR": 27, "MT": 31, "MU": 30, "NI": 28, "NL": 18, "NO": 15, "OM": 23, "PK": 24, "PL": 28, "PS": 29,
    "PT": 25, "QA": 29, "RO": 24, "RS": 22, "RU": 33, "SA": 24, "SC": 31, "SD": 18, "SE": 24, "SI": 19, "SK": 24,
    "SM": 27, "SO": 23, "ST": 25, "SV": 28, "TL": 23, "TN": 24, "TR": 26, "UA": 29, "VA": 22, "VG": 24, "XK": 20,
    "YE": 30,
}  # fmt: skip
_SEPARATORS: Final = re.compile(r"[ -]+")
_LEAST_DIGITS: Final = 8  # of the account behind the check digits, which tells a wrong number from a word


def _modulo_97(number: str) -> int:
    return int("".join(str(int(character, 36)) for character in number[4:] + number[:4])) % 97


def _judge(candidate: Candidate) -> float | None:
    number = _SEPARATORS.sub("", candidate.value).upper()
    if len(number) != _LENGTHS.get(number[:2]):
        return None
    if _modulo_97(number) == 1:
        # The form of a country's account may be newer than the library's; its own check digits are not looked at.
        return 1.0 if iban.is_valid(number, check_country=False) else 0.8
    wrong = candidate.lenient and sum(character.isdigit() for character in number[4:]) >= _LEAST_DIGITS
    return 0.6 if wrong else None


IBAN: Final = Detector(
    name="iban",
    kind="IBAN_CODE",
    group="payment",
    patterns=(
        Pattern(expression=IDENTIFIER),
        Pattern(expression=r"[A-Za-z]{2}\d{2}(?:[ -][A-Za-z0-9]{4}){2,7}[ -][A-Za-z0-9]{1,4}"),
        Pattern(expression=r"[A-Za-z]{2}\d{2}(?:[ -][A-Za-z0-9]{4}){3,7}"),
        # Upper case only, so that it is rare in prose: groups of any length.
        Pattern(expression=r"[A-Z]{2} ?\d{2}(?:[ -]?[A-Z0-9]){11,30}"),
    ),
    judge=_judge,
    finds=(
        "GB82WEST12345698765432",
        "IBAN DE89 3704 0044 0532 0130 00, BIC",
        "fr14 2004 1010 0505 0001 3m02 606",
        "NO93-8601-1117-947",
        "AT 61 19043 00234573201",
        "BE68 5390 0754 7034 is it",
    ),
    ignores=(
        "GB82WEST12345698765431",
        "DE89 3704 0044 0532 0130",
        "ZZ89 3704 0044 0532 0130 00",
        "XGB82WEST12345698765432",
        "ab12 some text that goes on",
        "4f8e8c2b7d1a4e0c9b3d6f5a2e1c7d8b",
    ),
)
