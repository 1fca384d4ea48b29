# SPDX-License-Identifier: Apache-2.0
"""Payment card numbers (ISO/IEC 7812): a brand's prefix and length, and Luhn's check digit.

Facts. A number has 12 to 19 digits. It is written in one row, in groups, or with one space or dash between any two
digits. Groups of four may also stand between dots, slashes or underscores.

One in ten numbers has a right check digit by chance. So a number without a brand's prefix is a card's only where the
words before it say so, and one with a wrong check digit only where they do or where it is written in groups.
"""

import re
from typing import Final

from policies.detectors.context import OTHER_NUMBERS, Words, leads
from policies.detectors.contract import Candidate, Detector, Pattern
from policies.detectors.digits import digits_of, luhn

_WORDS: Final = Words.of(
    "card", "cards", "credit card", "creditcard", "debit", "cc", "ccn", "ccnum", "pan", "visa", "mastercard", "amex",
    "american express", "discover", "diners", "jcb", "unionpay", "maestro", "rupay", "mir", "kreditkarte",
    "kreditkartennummer", "kartennummer", "karte", "carte", "carte bancaire", "cb", "tarjeta", "carta",
    "carta di credito", "cartão", "cartao", "kaart", "creditcardnummer", "kaartnummer",
)  # fmt: skip

_BRAND: Final = re.compile(
    r"4(?:[0-9]{12}|[0-9]{15}|[0-9]{18})"  # Visa
    r"|(?:5[1-5][0-9]{2}|222[1-9]|22[3-9][0-9]|2[3-6][0-9]{2}|27[01][0-9]|2720)[0-9]{12}"  # Mastercard
    r"|3[47][0-9]{13}"  # American Express
    r"|(?:6011|64[4-9][0-9]|65[0-9]{2})[0-9]{12}(?:[0-9]{3})?"  # Discover
    r"|35(?:2[89]|[3-8][0-9])[0-9]{12,15}|(?:1800|2131)[0-9]{11}"  # JCB
    r"|3(?:0[0-5]|[689][0-9])[0-9]{11}(?:[0-9]{2})?"  # Diners Club
    r"|(?:62|81)[0-9]{14,17}"  # UnionPay
    r"|(?:5018|5020|5038|5612|5893|6304|6759|676[1-3])[0-9]{8,15}"  # Maestro
    r"|(?:60|82|508)[0-9]{13,14}"  # RuPay
    r"|220[0-4][0-9]{12,15}"  # Mir
    r"|9792[0-9]{12}"  # Troy
    r"|(?:636[0-9]|637[0-9]|5067|4576|4011|6500)[0-9]{12}",  # Elo, Hipercard, InstaPayment
)
_SHORTEST_WITHOUT_CONTEXT: Final = 13  # one in ten of the 12-digit numbers that begin like Maestro's is right by chance
_USUAL_LENGTHS: Final = (15, 16)
_GROUPED: Final = re.compile(r"[0-9]{4}(?:[ -][0-9]{4}){3}|3[47][0-9]{2}[ -][0-9]{6}[ -][0-9]{5}")
# A number behind a decimal point is a fraction; one behind a country and two digits is an account's.
_PART_OF_ANOTHER: Final = re.compile(r"[0-9]\.$|[A-Z]{2}[0-9]{2}[ -]?$")
# Letters alone may touch a number (`card4111…`, `é4111…`); with digits before them they are one identifier with it.
_IDENTIFIER: Final = re.compile(r"[0-9][A-Za-z]+$")


def _is_part_of_another(before: str) -> bool:
    """Whether a number stands in a hash, an identifier, a fraction or an account number."""
    return _PART_OF_ANOTHER.search(before) is not None or _IDENTIFIER.search(before) is not None


def _judge(candidate: Candidate) -> float | None:
    digits = digits_of(candidate.value)
    branded = _BRAND.fullmatch(digits) is not None
    right = luhn(digits)
    usual = len(digits) in _USUAL_LENGTHS
    # Whether words lead to it is asked last: rows of numbers have many candidates, and few that get here.
    if not (right or (candidate.lenient and (branded or usual))):
        return None
    if _is_part_of_another(candidate.before) or len(set(digits)) == 1:
        return None
    led = leads(candidate.before, _WORDS, OTHER_NUMBERS)
    if right and branded and len(digits) >= _SHORTEST_WITHOUT_CONTEXT:
        return 1.0 if led else 0.9
    if led:
        return (0.8 if branded else 0.6) if right else (0.6 if branded else 0.5)
    return 0.5 if candidate.lenient and branded and _GROUPED.fullmatch(candidate.value) else None


PAYMENT_CARD: Final = Detector(
    name="payment-card",
    kind="CREDIT_CARD",
    group="payment",
    patterns=(
        # Letters may touch it ("card4111…"): the judge sees whether they are a word.
        Pattern(expression=r"\d(?:[ -]?\d){11,18}", alone="0-9"),
        Pattern(expression=r"\d{4}(?:[._/]\d{4}){3}", alone="0-9", alone_before="0-9._/"),
    ),
    judge=_judge,
    finds=(
        "é4111 1111 1111 1111",
        "x4111111111111111",
        "4111111111111111",
        "Card: 4111 1111 1111 1111.",
        "5555-5555-5555-4444",
        "3782 822463 10005",
        "12 4111 1111 1111 1111",
        "card4222222222222paid",
        "4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1",
        "4111.1111.1111.1111",
        "I paid with 4111.1111.1111.1111.",
        "Mein Kreditkarte: 6304 0000 0000 0000",
        "my maestro card 501800000009",
    ),
    ignores=(
        "4111111111111112",
        "94111111111111111",
        "4111  1111  1111  1111",
        "1234567890123456",
        "4111 1111 1111",
        "0000 0000 0000 0000",
        "tel. 49 30 901820 und 2024-11-20",
        "501800000009",
        "0.4111111111111111",
        "a94111111111111111f",
    ),
)
