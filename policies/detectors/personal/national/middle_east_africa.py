# SPDX-License-Identifier: Apache-2.0
"""Turkey, Israel and South Africa: identity numbers."""

from typing import Final

from stdnum.il import idnr
from stdnum.tr import tckimlik
from stdnum.za import idnr as za_idnr

from policies.detectors.context import Words
from policies.detectors.personal.national.number import national

TR_IDENTITY_NUMBER: Final = national(
    name="tr-tckn",
    kind="TR_TCKN",
    forms=(r"[1-9]\d{10}",),
    is_valid=tckimlik.is_valid,
    words=Words.of("tckn", "tc kimlik", "kimlik", "t.c. kimlik", "kimlik no", "kimlik numarası"),
    finds=("T.C. Kimlik No: 17310808660", "TCKN 17310808660", "kimlik numarası 17310808660"),
    ignores=("17310808660", "TCKN 17310808661", "order 17310808660"),
)
IL_IDENTITY_NUMBER: Final = national(
    name="il-id",
    kind="IL_ID",
    forms=(r"\d{9}", r"\d{8}-\d"),
    is_valid=idnr.is_valid,
    words=Words.of("teudat zehut", "תעודת זהות", "ת.ז", "israeli id"),
    finds=("teudat zehut 123456782", "תעודת זהות 12345678-2", "Israeli ID: 123456782"),
    ignores=("123456782", "teudat zehut 123456783", "12345678-2"),
)
ZA_IDENTITY_NUMBER: Final = national(
    name="za-id",
    kind="ZA_ID",
    forms=(r"\d{10}[012]\d{2}", r"\d{6} \d{4} [012]\d{2}"),
    is_valid=za_idnr.is_valid,
    words=Words.of("south african id", "rsa id", "sa id", "identity number"),
    finds=("ID number 8001015009087", "SA ID: 800101 5009 087", "identity number 8001015009087"),
    ignores=("8001015009087", "SA ID 8013015009087", "800101 5009 087"),
)
