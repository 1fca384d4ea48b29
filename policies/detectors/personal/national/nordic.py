# SPDX-License-Identifier: Apache-2.0
"""The personal numbers of Sweden, Denmark, Norway, Finland and Iceland, all made of a date of birth."""

from typing import Final

from stdnum.dk import cpr
from stdnum.fi import hetu
from stdnum.is_ import kennitala
from stdnum.no import fodselsnummer
from stdnum.se import personnummer

from policies.detectors.context import Words
from policies.detectors.personal.national.number import national

SE_PERSONAL_NUMBER: Final = national(
    name="se-personnummer",
    kind="SE_PERSONNUMMER",
    forms=(r"(?:\d{2})?\d{6}[+-]\d{4}", r"(?:\d{2})?\d{10}"),
    is_valid=personnummer.is_valid,
    own=r"[0-9]+[+-][0-9]{4}",
    words=Words.of("personnummer", "samordningsnummer", "swedish", "persnr", "pnr"),
    finds=("811228-9874", "personnummer 8112289874", "19811228-9874"),
    ignores=("811228-9875", "8112289874", "811328-9874"),
)
DK_CPR: Final = national(
    name="dk-cpr",
    kind="DK_CPR",
    forms=(r"\d{6}-\d{4}", r"\d{10}"),
    is_valid=cpr.is_valid,
    words=Words.of("cpr", "cpr nr", "cpr nummer", "personnummer"),
    finds=("CPR 211062-5629", "cpr-nr. 2110625629", "CPR-nummer: 211062-5629"),
    ignores=("211062-5629", "CPR 321362-5629", "2110625629"),
)
NO_BIRTH_NUMBER: Final = national(
    name="no-fodselsnummer",
    kind="NO_FODSELSNUMMER",
    forms=(r"\d{11}", r"\d{6} \d{5}"),
    is_valid=fodselsnummer.is_valid,
    words=Words.of("fødselsnummer", "fodselsnummer", "personnummer", "fnr", "dnr", "d nummer"),
    finds=("fødselsnummer 15107801186", "fnr: 151078 01186", "personnummer 15107801267"),
    ignores=("15107801186", "fnr 15107801187", "151078 01186"),
)
FI_PERSONAL_CODE: Final = national(
    name="fi-hetu",
    kind="FI_PERSONAL_IDENTITY_CODE",
    forms=(r"\d{6}[+A-FYXWVUa-fyxwvu-]\d{3}[0-9A-Ya-y]",),
    is_valid=hetu.is_valid,
    own=r"[0-9]{6}[+A-Z-][0-9]{3}[0-9A-Y]",
    words=Words.of("hetu", "henkilötunnus", "henkilotunnus", "personbeteckning"),
    finds=("131052-308T", "henkilötunnus: 131052-308t", "131052A308T"),
    ignores=("131052-308U", "131052-308t", "331352-308T"),
)
IS_KENNITALA: Final = national(
    name="is-kennitala",
    kind="IS_KENNITALA",
    forms=(r"\d{6}-\d{4}", r"\d{10}"),
    is_valid=kennitala.is_valid,
    words=Words.of("kennitala", "kt"),
    finds=("kennitala 120174-3399", "kt. 1201743399", "Kennitala: 010180-2019"),
    ignores=("120174-3399", "kennitala 120174-3389", "1201743399"),
)
