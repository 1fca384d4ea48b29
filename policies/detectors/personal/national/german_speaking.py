# SPDX-License-Identifier: Apache-2.0
"""Germany: tax identification and tax number. Austria: social insurance and tax number. Switzerland: AHV number."""

from typing import Final

from stdnum.at import tin, vnr
from stdnum.ch import ssn
from stdnum.de import idnr, stnr

from policies.detectors.context import Words
from policies.detectors.personal.national.number import national

DE_TAX_ID: Final = national(
    name="de-tax-id",
    kind="DE_TAX_ID",
    forms=(r"\d{11}", r"\d{2} \d{3} \d{3} \d{3}"),
    is_valid=idnr.is_valid,
    words=Words.of(
        "idnr", "id nr", "steuer id", "steueridentifikationsnummer", "steuerliche identifikationsnummer", "steuerid"
    ),
    finds=("Steuer-ID 47036892816", "IdNr. 47 036 892 816", "tax id: 47036892816"),
    ignores=("47036892816", "Steuer-ID 47036892815", "Rechnung 47036892816"),
)
DE_TAX_NUMBER: Final = national(
    name="de-tax-number",
    kind="DE_TAX_NUMBER",
    forms=(r"\d{2,3}/\d{3,4}/\d{4,5}", r"\d{13}"),
    is_valid=stnr.is_valid,
    words=Words.of("steuernummer", "steuernr", "stnr", "st nr"),
    finds=("Steuernummer 21/815/08150", "St.-Nr. 181/815/08155", "StNr: 2181081508155"),
    ignores=("21/815/08150", "2181081508155", "Datum 21/815/08150"),
)
AT_SOCIAL_INSURANCE: Final = national(
    name="at-social-insurance",
    kind="AT_SVNR",
    forms=(r"\d{10}", r"\d{4} \d{6}"),
    is_valid=vnr.is_valid,
    words=Words.of("svnr", "sv nummer", "sozialversicherungsnummer", "versicherungsnummer", "sozialversicherung"),
    finds=("SVNR 1237 010180", "Sozialversicherungsnummer: 1237010180", "SV-Nummer 1237010180"),
    ignores=("1237 010180", "SVNR 1238 010180", "1237010180"),
)
AT_TAX_NUMBER: Final = national(
    name="at-tax-number",
    kind="AT_TAX_NUMBER",
    forms=(r"\d{2}[ -]\d{3}/\d{4}", r"\d{9}"),
    is_valid=tin.is_valid,
    words=Words.of("steuernummer", "abgabenkontonummer", "st nr", "stnr"),
    finds=("Steuernummer 59-119/9013", "Abgabenkontonummer: 591199013", "St.Nr. 59 119/9013"),
    ignores=("59-119/9013", "591199013", "Steuernummer 59-119/9014"),
)
CH_AHV: Final = national(
    name="ch-ahv",
    kind="CH_AHV",
    forms=(r"756\.\d{4}\.\d{4}\.\d{2}", r"756\d{10}", r"756 \d{4} \d{4} \d{2}"),
    is_valid=ssn.is_valid,
    own=r"756\.[0-9.]+|756 [0-9 ]+",
    words=Words.of("ahv", "ahv nummer", "avs", "oasi", "navs", "sozialversicherungsnummer"),
    finds=("756.1234.5678.97", "AHV 7561234567897", "756 1234 5678 97"),
    ignores=("756.1234.5678.96", "7561234567897", "755.1234.5678.97"),
)
