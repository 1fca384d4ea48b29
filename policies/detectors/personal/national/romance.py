# SPDX-License-Identifier: Apache-2.0
"""France, Spain, Italy, Portugal and Romania: identity, social security and tax numbers."""

from typing import Final

from stdnum.es import dni, nie
from stdnum.fr import nif as fr_nif
from stdnum.fr import nir
from stdnum.it import codicefiscale
from stdnum.pt import cc
from stdnum.pt import nif as pt_nif
from stdnum.ro import cnp

from policies.detectors.context import Words
from policies.detectors.personal.national.number import IDENTIFIER, national

# A digit, or the letter that stands for it where two people would have the same code.
_OMOCODE: Final = "[0-9LMNPQRSTUVlmnpqrstuv]"

FR_NIR: Final = national(
    name="fr-nir",
    kind="FR_NIR",
    forms=(
        r"[1-8]\d{4}(?:\d{2}|2[ABab])\d{8}",
        r"[1-8] \d{2} \d{2} (?:\d{2}|2[ABab]) \d{3} \d{3} \d{2}",
        r"[1-8] \d{2} \d{2} (?:\d{2}|2[ABab]) \d{3} \d{3}/\d{2}",
    ),
    is_valid=lambda number: nir.is_valid(number.replace("/", "")),
    own=r"[1-8] .*",
    words=Words.of("nir", "insee", "sécurité sociale", "securite sociale", "sécu", "numéro de sécurité"),
    finds=("1 85 05 78 006 084 91", "NIR 185057800608491", "numéro de sécurité sociale : 1 85 05 78 006 084 91"),
    ignores=("185057800608491", "1 85 05 78 006 084 92", "NIR 185057800608492"),
)
FR_TAX_NUMBER: Final = national(
    name="fr-tax-number",
    kind="FR_SPI",
    forms=(r"[0-3]\d{12}", r"[0-3]\d \d{2} \d{3} \d{3} \d{3}"),
    is_valid=fr_nif.is_valid,
    words=Words.of("numéro fiscal", "numero fiscal", "spi", "impôts", "référence fiscale"),
    finds=("numéro fiscal 3023217600053", "SPI : 30 23 217 600 053", "tax id 0701987765493"),
    ignores=("3023217600053", "numéro fiscal 3023217600054", "30 23 217 600 053"),
)
ES_DNI: Final = national(
    name="es-nif",
    kind="ES_NIF",
    forms=(r"\d{8}[ -]?[A-Za-z]", r"\d{2}\.\d{3}\.\d{3}[ -]?[A-Za-z]"),
    is_valid=lambda number: dni.is_valid(number.replace(".", "")),
    own=r"[0-9]{8}-?[A-Z]|[0-9]{2}\.[0-9]{3}\.[0-9]{3}[ -]?[A-Z]",
    words=Words.of("dni", "nif", "documento nacional"),
    finds=("12345678Z", "DNI 12.345.678-Z", "mi nif es 12345678z"),
    ignores=("12345678A", "12345678z", "12345678 Z", "pedido 12345678Z"),
)
ES_NIE: Final = national(
    name="es-nie",
    kind="ES_NIE",
    forms=(IDENTIFIER, r"[XYZxyz][ -]\d{7}[ -]?[A-Za-z]"),
    shape=r"[XYZxyz][ -]?[0-9]{7}[ -]?[A-Za-z]",
    is_valid=nie.is_valid,
    own=r"[XYZ]-?[0-9]{7}-?[A-Z]",
    words=Words.of("nie", "nif", "extranjero", "extranjeros"),
    finds=("X1234567L", "NIE: X-1234567-L", "nie x1234567l"),
    ignores=("X1234567A", "x1234567l", "W1234567L"),
)
IT_FISCAL_CODE: Final = national(
    name="it-fiscal-code",
    kind="IT_FISCAL_CODE",
    forms=(IDENTIFIER,),
    shape=rf"[A-Za-z]{{6}}[0-9]{{2}}[A-Ea-eHhLlMmPpR-Tr-t]{_OMOCODE}{{2}}[A-Za-z]{_OMOCODE}{{3}}[A-Za-z]",
    is_valid=codicefiscale.is_valid,
    own=r".*[0-9].*",
    words=Words.of("codice fiscale", "cf", "cod fisc"),
    finds=("RSSMRA85T10A562S", "codice fiscale: rssmra85t10a562s", "CF RSSMRA85T10A562S."),
    ignores=("RSSMRA85T10A562A", "RSSMRA85T10A56", "RSSMRA85Z10A562S"),
)
PT_NIF: Final = national(
    name="pt-nif",
    kind="PT_NIF",
    forms=(r"[1-9]\d{8}", r"[1-9]\d{2} \d{3} \d{3}"),
    is_valid=pt_nif.is_valid,
    words=Words.of("nif", "contribuinte", "número de contribuinte", "identificação fiscal"),
    finds=("NIF 123456789", "contribuinte n.º 123 456 789", "NIF: 123456789;"),
    ignores=("123456789", "NIF 123456788", "123 456 789"),
)
PT_CITIZEN_CARD: Final = national(
    name="pt-citizen-card",
    kind="PT_CC",
    forms=(r"\d{8} ?\d ?[A-Za-z0-9]{2}\d",),
    is_valid=cc.is_valid,
    own=r"[0-9]{8} [0-9] ?[A-Z]{2}[0-9]",
    words=Words.of("cartão de cidadão", "cartao de cidadao", "cc", "bilhete de identidade", "cidadão"),
    finds=("00000000 0 ZZ4", "cartão de cidadão 000000000ZZ4", "CC: 00000000 0ZZ4"),
    ignores=("00000000 0 ZZ5", "000000000ZZ4", "CC: 00000000 0ZZ5"),
)
RO_CNP: Final = national(
    name="ro-cnp",
    kind="RO_CNP",
    forms=(r"[1-9]\d{12}",),
    is_valid=cnp.is_valid,
    words=Words.of("cnp", "cod numeric personal"),
    finds=("CNP 1630615123457", "cod numeric personal: 1630615123457", "national id 1630615123457"),
    ignores=("1630615123457", "CNP 1630615123456", "order 1630615123457"),
)
