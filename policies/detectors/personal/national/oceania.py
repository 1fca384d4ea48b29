# SPDX-License-Identifier: Apache-2.0
"""Australia: tax file number and Medicare card. New Zealand: IRD number."""

from typing import Final

from stdnum.au import tfn
from stdnum.nz import ird

from policies.detectors.context import Words
from policies.detectors.digits import digits_of
from policies.detectors.personal.national.number import national

_MEDICARE_WEIGHTS: Final = (1, 3, 7, 9, 1, 3, 7, 9)
_MEDICARE_LENGTHS: Final = (10, 11)  # with the place on the card as the last digit


def _is_medicare(number: str) -> bool:
    digits = digits_of(number)
    weighted = sum(int(digit) * weight for digit, weight in zip(digits, _MEDICARE_WEIGHTS, strict=False))
    return len(digits) in _MEDICARE_LENGTHS and "2" <= digits[0] <= "6" and weighted % 10 == int(digits[8])


AU_TFN: Final = national(
    name="au-tfn",
    kind="AU_TFN",
    forms=(r"\d{3}[ -]?\d{3}[ -]?\d{3}",),
    is_valid=lambda number: tfn.is_valid(digits_of(number)),
    words=Words.of("tfn", "tax file"),
    finds=("TFN 123 456 782", "tax file number: 123456782", "tfn 123-456-782"),
    ignores=("123 456 782", "TFN 123 456 783", "123456782"),
)
AU_MEDICARE: Final = national(
    name="au-medicare",
    kind="AU_MEDICARE",
    forms=(r"[2-6]\d{9}\d?", r"[2-6]\d{3} \d{5} \d(?:[ /-]\d)?"),
    is_valid=_is_medicare,
    words=Words.of("medicare"),
    finds=("Medicare 2123 45670 1", "medicare card: 2123456701", "Medicare no. 2123 45670 1/2"),
    ignores=("2123456701", "Medicare 2123 45671 1", "2123 45670 1"),
)
NZ_IRD: Final = national(
    name="nz-ird",
    kind="NZ_IRD",
    forms=(r"\d{8,9}", r"\d{2,3}[- ]\d{3}[- ]\d{3}"),
    is_valid=ird.is_valid,
    words=Words.of("ird", "inland revenue"),
    finds=("IRD 49-091-850", "ird number: 49091850", "Inland Revenue number 49 091 850"),
    ignores=("49091850", "IRD 49-091-851", "49-091-850"),
)
