# SPDX-License-Identifier: Apache-2.0
"""Netherlands: citizen service number. Belgium: national number."""

from typing import Final

from stdnum.be import nn
from stdnum.nl import bsn

from policies.detectors.context import Words
from policies.detectors.personal.national.number import national

NL_BSN: Final = national(
    name="nl-bsn",
    kind="NL_BSN",
    forms=(r"\d{9}", r"\d{4}[. ]\d{2}[. ]\d{3}"),
    is_valid=lambda number: bsn.is_valid(number.replace(" ", "")),
    words=Words.of("bsn", "burgerservicenummer", "sofinummer", "sofi", "sofi nummer"),
    finds=("BSN 123456782", "burgerservicenummer: 1112.22.333", "mijn bsn is 111222333"),
    ignores=("123456782", "BSN 123456781", "1112.22.333"),
)
BE_NATIONAL_NUMBER: Final = national(
    name="be-national-number",
    kind="BE_NN",
    forms=(r"\d{2}\.\d{2}\.\d{2}-\d{3}\.\d{2}", r"\d{11}", r"\d{6}[ -]\d{3}[ -]\d{2}"),
    is_valid=nn.is_valid,
    own=r"[0-9]{2}\.[0-9]{2}\.[0-9]{2}-[0-9.]+",
    words=Words.of("rijksregisternummer", "rijksregister", "registre national", "numéro national", "insz", "niss"),
    finds=("85.07.30-033.28", "rijksregisternummer 85073003328", "NISS: 850730-033-28"),
    ignores=("85.07.30-033.29", "85073003328", "850730-033-28"),
)
