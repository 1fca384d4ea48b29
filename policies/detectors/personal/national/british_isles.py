# SPDX-License-Identifier: Apache-2.0
"""United Kingdom: NHS number, national insurance number, taxpayer reference. Ireland: public service number."""

import re
from typing import Final

from stdnum.gb import nhs, utr
from stdnum.ie import pps

from policies.detectors.context import Words
from policies.detectors.personal.national.number import IDENTIFIER, national

# HMRC gives no D, F, I, Q, U, V as either letter, no O as the second, and not these pairs.
_NINO: Final = re.compile(
    r"(?!BG|GB|KN|NK|NT|TN|ZZ)[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z](?:[ -]?[0-9]{2}){3}[ -]?[A-D]", re.IGNORECASE
)


def _is_nino(number: str) -> bool:
    return _NINO.fullmatch(number) is not None


UK_NHS: Final = national(
    name="uk-nhs",
    kind="UK_NHS",
    forms=(r"\d{10}", r"\d{3}[ -]\d{3}[ -]\d{4}"),
    is_valid=nhs.is_valid,
    words=Words.of("nhs", "national health service"),
    finds=("NHS number: 943 476 5919", "nhs 9434765919", "Her NHS no. is 943-476-5919."),
    ignores=("9434765919", "NHS number: 943 476 5918", "943 476 5919"),
)
UK_NINO: Final = national(
    name="uk-nino",
    kind="UK_NINO",
    forms=(IDENTIFIER, r"[A-Za-z]{2}[ -]\d{2}[ -]\d{2}[ -]\d{2}[ -][A-Da-d]", r"[A-Za-z]{2} \d{6} [A-Da-d]"),
    shape=r"[A-Za-z]{2}(?:[ -]?[0-9]{2}){3}[ -]?[A-Da-d]",
    is_valid=_is_nino,
    own=r"[A-Z]{2}(?: ?[0-9]{2}){3} ?[A-D]",
    words=Words.of("nino", "national insurance", "ni number", "insurance number"),
    finds=("AB123456C", "AB 12 34 56 C", "my national insurance number is ab123456c"),
    ignores=("GB123456A", "AO123456C", "AB123456E", "ab123456c", "order AB123456C"),
)
UK_UTR: Final = national(
    name="uk-utr",
    kind="UK_UTR",
    forms=(r"\d{10}", r"\d{5} \d{5}"),
    is_valid=utr.is_valid,
    words=Words.of("utr", "unique taxpayer reference"),
    finds=("UTR: 1123456789", "unique taxpayer reference 11234 56789", "my UTR is 1523456789"),
    ignores=("1123456789", "UTR: 1223456789", "11234 56789"),
)
IE_PPS: Final = national(
    name="ie-pps",
    kind="IE_PPS",
    forms=(r"\d{7}[A-Wa-w][A-IWa-iw]?",),
    is_valid=pps.is_valid,
    own=r"[0-9]{7}[A-W][A-IW]?",
    words=Words.of("pps", "ppsn", "personal public service"),
    finds=("1234567T", "PPS number 1234567FA", "ppsn: 1234567t"),
    ignores=("1234567A", "1234567t", "21234567T", "build 1234567T"),
)
