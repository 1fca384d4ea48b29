# SPDX-License-Identifier: Apache-2.0
"""Phone and fax numbers, judged by the numbering plans that `phonenumbers` knows.

What is needed depends on the form: a number that begins with `+` is one wherever its country's plan has it, groups
with a trunk zero or an area code in brackets are one where some country's plan has them, and other groups or a bare
row of digits are one only where the words before say so.
"""

import re
from functools import cache
from typing import Final

from phonenumbers import NumberParseException, PhoneMetadata, is_possible_number, is_valid_number, parse

from policies.detectors.context import OTHER_NUMBERS, Words, leads, names
from policies.detectors.contract import Candidate, Detector, Pattern
from policies.detectors.digits import digits_of

_NAMED: Final = Words.of(
    "phone", "phones", "phone number", "telephone", "tel", "mobile", "cell", "cellphone", "cellular", "fax", "call",
    "called", "dial", "ring", "sms", "whatsapp", "hotline", "helpline", "landline", "pager", "msisdn",
    "telefon", "telefonnummer", "rufnummer", "handy", "handynummer", "mobil", "mobilnummer", "durchwahl", "anrufen",
    "téléphone", "portable", "appelez", "teléfono", "telefono", "móvil", "movil", "celular", "llame", "llamar",
    "cellulare", "chiamare", "telefone", "telemóvel", "telemovel", "ligar", "telefoon", "telefoonnummer", "gsm",
    "mobiel", "bellen", "tél", "puhelin", "telefonszám", "手机", "电话", "電話",
)  # fmt: skip
# Enough for groups of digits, too little for a bare row.
_NEAR: Final = _NAMED | Words.of(
    "contact", "reach", "office", "desk", "home", "work", "answering at", "message to", "messages to", "texts to",
    "voicemail", "kontakt", "büro", "privat", "bureau", "oficina", "ufficio", "kantoor",
)  # fmt: skip

# The plans that numbers without a country code are compared with.
_REGIONS: Final = (
    "US", "GB", "DE", "FR", "IT", "ES", "NL", "BE", "CH", "AT", "SE", "NO", "DK", "FI", "PL", "PT", "IE", "GR", "CZ",
    "HU", "RO", "TR", "IL", "ZA", "AU", "NZ", "IN", "JP", "KR", "CN", "SG", "HK", "BR", "MX", "AR", "CL", "CO", "RU",
    "UA",
)  # fmt: skip

_EXTENSION: Final = re.compile(r" ?(?:x|ext\.?|extension) ?[0-9]{1,6}$", re.IGNORECASE)
_NANP: Final = re.compile(r"(?:1[ .-]?)?(?:\([0-9]{3}\) ?|[0-9]{3}[ .-])[0-9]{3}[ .-][0-9]{4}")
_DATE: Final = re.compile(
    r"(?:19|20)[0-9]{2}[ ./-][0-9]{1,2}[ ./-][0-9]{1,2}(?![0-9])"
    r"|[0-9]{1,2}[ ./-][0-9]{1,2}[ ./-](?:19|20)[0-9]{2}(?![0-9])"
    r"|(?:19|20)[0-9]{2}[ -]{1,3}(?:19|20)[0-9]{2}$"
)
_FRACTION: Final = re.compile(r"[0-9][.,]$|[$€£¥]\s?$")
_SHORTEST: Final = 7
_SHORTEST_WITHOUT_CONTEXT: Final = 9
_SHORTEST_WITH_AREA: Final = 8
_ROUND: Final = "00000"
_LONGEST: Final = 15  # E.164
_LONGEST_NATIONAL: Final = 13


@cache
def _plan(region: str) -> tuple[str, re.Pattern[str]]:
    """Return the trunk prefix of a region and the form of its national numbers."""
    metadata = PhoneMetadata.metadata_for_region(region)
    if metadata is None or metadata.general_desc is None:
        raise LookupError(f"phonenumbers knows no region {region}")
    return metadata.national_prefix or "", re.compile(metadata.general_desc.national_number_pattern or "(?!)")


def _in_a_plan(digits: str) -> bool:
    """Whether some region has this number, written with the trunk prefix of the region if it has one."""
    for region in _REGIONS:
        trunk, form = _plan(region)
        if form.fullmatch(digits.removeprefix(trunk)) or (not digits.startswith("0") and form.fullmatch(digits)):
            return True
    return False


def _international(written: str, candidate: Candidate) -> float | None:
    """Judge a number that begins with `+` and a country code."""
    try:
        number = parse(written)
    except NumberParseException:
        return None
    if is_valid_number(number):
        return 1.0
    if candidate.lenient and is_possible_number(number):
        grouped = not written[1:].isdigit()
        return 0.7 if grouped or leads(candidate.before, _NEAR, OTHER_NUMBERS) else 0.5
    return None


def _north_american(number: str, candidate: Candidate, *, extended: bool) -> float | None:
    """Judge three, three and four digits with something between."""
    led = leads(candidate.before, _NEAR, OTHER_NUMBERS)
    other = names(candidate.before, OTHER_NUMBERS)
    if is_valid_number(parse(number, "US")) and not other:
        return 1.0 if led else 0.8
    if not candidate.lenient:
        return None
    if led:
        return 0.7
    marked = extended or number.count("-") > 1 or number.count(".") > 1 or "(" in number
    return 0.5 if marked and not other else None


def _national(number: str, digits: str, candidate: Candidate) -> float | None:
    """Judge the other forms: with a trunk zero, an area code in brackets, in groups, or in one row."""
    bare = number.isdigit()
    if (bare and digits.endswith(_ROUND)) or len(digits) > _LONGEST_NATIONAL:
        return None
    led = leads(candidate.before, _NAMED if bare else _NEAR, OTHER_NUMBERS)
    if bare and len(digits) < _SHORTEST_WITHOUT_CONTEXT:  # the shorter a row, the nearer its name must be
        led = led and names(candidate.before, _NAMED)
    with_area = number.startswith("(") and len(digits) >= _SHORTEST_WITH_AREA
    with_trunk = digits.startswith("0") and not bare and len(digits) >= _SHORTEST_WITHOUT_CONTEXT
    if not led and not with_area and not with_trunk:
        return None
    if not led and names(candidate.before, OTHER_NUMBERS):
        return None
    if _in_a_plan(digits):
        return 0.9 if led else 0.6
    return 0.6 if led and (candidate.lenient or len(digits) == _SHORTEST) else None


def _judge(candidate: Candidate) -> float | None:
    number = _EXTENSION.sub("", candidate.value)
    digits = digits_of(number)
    if not _SHORTEST <= len(digits) <= _LONGEST or len(set(digits)) == 1:
        return None
    if _FRACTION.search(candidate.before) or _DATE.match(number):
        return None
    if number.startswith("+"):
        return _international(number, candidate)
    score = None
    if digits.startswith("00") and (not number.isdigit() or leads(candidate.before, _NAMED, OTHER_NUMBERS)):
        score = _international("+" + digits[2:], candidate)
    elif _NANP.fullmatch(number):
        score = _north_american(number, candidate, extended=number != candidate.value)
    return score or _national(number, digits, candidate)


def _judge_labelled(candidate: Candidate) -> float | None:
    """Judge a number with its label behind it, as in a list: `555 0143 (mobile)`."""
    digits = digits_of(candidate.value)
    if not _SHORTEST <= len(digits) <= _LONGEST or _DATE.match(candidate.value):
        return None
    if _in_a_plan(digits):
        return 0.7
    return 0.6 if candidate.lenient else None


_EXT: Final = r"(?: ?(?:x|ext\.?|extension|Ext\.?) ?\d{1,6})?"

PHONE: Final = Detector(
    name="phone",
    kind="PHONE_NUMBER",
    group="contact",
    patterns=(
        Pattern(expression=rf"\+[1-9](?:[ ()./-]{{0,3}}\d){{6,14}}{_EXT}"),
        Pattern(expression=rf"(?:1[ .-]?)?(?:\(\d{{3}}\) ?|\d{{3}}[ .-])\d{{3}}[ .-]\d{{4}}{_EXT}"),
        Pattern(expression=rf"0\d{{1,5}}(?:[ ./-]{{1,3}}\d{{2,8}}){{1,5}}{_EXT}"),
        Pattern(expression=rf"\(\d{{1,5}}\)[ ./-]{{0,3}}\d{{2,8}}(?:[ .-]\d{{2,8}}){{0,4}}{_EXT}"),
        Pattern(expression=rf"[1-9]\d{{1,3}}(?:[ .-]\d{{2,4}}){{2,4}}{_EXT}"),
        Pattern(expression=r"[6-9]\d{4}[ -]\d{5}"),
        Pattern(expression=rf"[1-9]\d(?:[ -]\d{{5,8}}|\d[ -]\d{{4,7}}|\d\d[ -]\d{{4,6}}){_EXT}"),
        Pattern(expression=rf"\d{{7,13}}{_EXT}"),
    ),
    judge=_judge,
    finds=(
        "+44 20 7946 0958",
        "Call +1 (202) 555-0143 x12 now",
        "tel:+4930901820",
        "202-555-0143",
        "(202) 555 0143 ext. 77",
        "0044 20 7946 0958",
        "020 7946 0958",
        "my mobile is 07700 900123",
        "Telefon: 030 / 901820",
        "phoneNumber: 2025550143",
        "office 555 0143",
        "rue X, 01.42.68.53.00",
    ),
    ignores=(
        "2025550143",
        "2024-11-20 10:30",
        "call me on 20.11.2024",
        "1990-2000",
        "order 202-555-0143",
        "+0 123 456 789",
        "in 1234567 cases",
        "call the function with 1234567 items",
        "0.12345678",
        "mobile users: $1234567",
        "555 0143",
        "phone 1111111",
    ),
)

PHONE_LABELLED: Final = Detector(
    name="phone-labelled",
    kind="PHONE_NUMBER",
    group="contact",
    patterns=(
        Pattern(
            expression=(
                r"(?P<value>[+(]?\d{1,5}(?:[ ()./-]{0,3}\d{2,5}){1,5}(?: ?(?:x|ext\.?) ?\d{1,6})?)[ -]{1,3}\(?"
                r"(?:office|home|work|mobile|cell|fax|phone|tel|landline|pager|handy|mobil|privat|portable|fixe|casa)"
            ),
            ignore_case=True,
        ),
    ),
    judge=_judge_labelled,
    finds=("030 901820 (office)", "2025550143 - Mobile", "202 555 0143 x12 fax", "Anna, 0171 1234567, 030 901820 home"),
    ignores=("030 901820", "1990-2000 home", "2024-11-20 office", "1234 homes", "12 34 work"),
)
