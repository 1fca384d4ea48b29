# SPDX-License-Identifier: Apache-2.0
"""Canada: social insurance number. Mexico: CURP and RFC. (The United States have a module of their own.)"""

from typing import Final

from stdnum.ca import sin
from stdnum.exceptions import ValidationError
from stdnum.mx import curp, rfc

from policies.detectors.context import Words
from policies.detectors.personal.national.number import IDENTIFIER, national


def _is_rfc(number: str) -> bool:
    """Whether the check digit is right too, which the library asks for on demand only."""
    try:
        rfc.validate(number, validate_check_digits=True)
    except ValidationError:
        return False
    return True


CA_SIN: Final = national(
    name="ca-sin",
    kind="CA_SIN",
    forms=(r"\d{9}", r"\d{3}[ -]\d{3}[ -]\d{3}"),
    is_valid=sin.is_valid,
    words=Words.of("sin", "social insurance", "numéro d'assurance sociale", "assurance sociale"),
    finds=("SIN 123-456-782", "social insurance number: 123 456 782", "sin=123456782"),
    ignores=("123-456-782", "SIN 123-456-783", "123456782"),
)
MX_CURP: Final = national(
    name="mx-curp",
    kind="MX_CURP",
    forms=(IDENTIFIER,),
    shape=r"[A-Za-z]{4}[0-9]{6}[HMXhmx][A-Za-z]{5}[A-Za-z0-9][0-9]",
    is_valid=curp.is_valid,
    own=r".*",
    words=Words.of("curp"),
    finds=("HEGG560427MVZRRL04", "CURP: HEGG560427MVZRRL04", "curp hegg560427mvzrrl04"),
    ignores=("HEGG560427MVZRRL05", "HEGG561327MVZRRL04", "HEGG560427MVZRRL0"),
)
MX_RFC: Final = national(
    name="mx-rfc",
    kind="MX_RFC",
    forms=(IDENTIFIER, r"[A-Z&]{3,4}-\d{6}-[A-Z0-9]{2}[0-9A]"),
    shape=r"[A-Za-z&]{3,4}-?[0-9]{6}-?[A-Za-z0-9]{2}[0-9Aa]",
    is_valid=_is_rfc,
    own=r"[A-Z&]{4}-?[0-9]{6}-?[A-Z0-9]{3}",
    words=Words.of("rfc", "registro federal", "registro federal de contribuyentes"),
    finds=("GODE561231GR8", "RFC: GODE-561231-GR8", "rfc gode561231gr8"),
    ignores=("GODE561231GR7", "GODE561331GR8", "RFC 2119"),
)
