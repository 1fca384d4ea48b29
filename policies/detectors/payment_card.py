# SPDX-License-Identifier: Apache-2.0
"""Payment card numbers: 13 to 19 digits, single spaces or dashes between, a known brand's prefix, a right check digit.

A number begins at the start of a group of digits and ends at the end of one: it is never a part of a longer run of
digits. Of several numbers in one row of groups the leftmost is taken, and of those that begin there the longest.
"""

import re
from dataclasses import dataclass
from typing import ClassVar, Final

from policies.detectors.detector import Finding, Scan

_MIN_DIGITS: Final = 13
_MAX_DIGITS: Final = 19

# Space, no-break space, narrow no-break space; hyphen-minus, hyphen, no-break hyphen, figure dash, en dash.
_SEPARATORS: Final = " \u00a0\u202f\\-\u2010\u2011\u2012\u2013"
_ROW: Final = re.compile(rf"[0-9](?:[{_SEPARATORS}]?[0-9])*")
_GROUP: Final = re.compile(r"[0-9]+")
_SEPARATOR: Final = re.compile(rf"[{_SEPARATORS}]")
_SEPARATOR_CHARACTERS: Final = frozenset(_SEPARATORS) - {"\\"}

# The digits of the shortest number. Any digit may begin it: a clue may be in more texts than findings are.
_CLUE: Final = rf"[0-9](?:[{_SEPARATORS}]?[0-9]){{{_MIN_DIGITS - 1}}}"

# A row without the clue is shorter: fewer digits than a number has, separators between them and one behind.
_MOST_BEGUN: Final = 2 * _MIN_DIGITS

_BRAND_STARTS: Final = frozenset("234568")
_BRAND: Final = re.compile(
    r"4(?:[0-9]{12}|[0-9]{15}|[0-9]{18})"  # Visa
    r"|(?:5[1-5][0-9]{2}|222[1-9]|22[3-9][0-9]|2[3-6][0-9]{2}|27[01][0-9]|2720)[0-9]{12}"  # Mastercard
    r"|3[47][0-9]{13}"  # American Express
    r"|(?:6011|64[4-9][0-9]|65[0-9]{2})[0-9]{12}(?:[0-9]{3})?"  # Discover
    r"|35(?:2[89]|[3-8][0-9])[0-9]{12,15}"  # JCB
    r"|3(?:0[0-5]|[689][0-9])[0-9]{11}"  # Diners Club
    r"|(?:62|81)[0-9]{14,17}"  # UnionPay
    r"|(?:5018|5020|5038|5893|6304|6759|676[1-3])[0-9]{9,15}",  # Maestro
)


@dataclass(frozen=True, slots=True)
class PaymentCard:
    name: ClassVar[str] = "payment-card"
    max_hold: ClassVar[int] = 2 * _MAX_DIGITS  # digits, separators between them and one behind
    lookbehind: ClassVar[int] = 1
    clue: ClassVar[str] = _CLUE
    finds: ClassVar[tuple[str, ...]] = (
        "4111111111111111",
        "Card: 4111 1111 1111 1111.",
        "5555-5555-5555-4444",
        "3782 822463 10005",
        "12 4111 1111 1111 1111",
        "card4222222222222paid",
        "6011\u00a01111\u20111111\u00a01117",
        "4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1",
    )
    ignores: ClassVar[tuple[str, ...]] = (
        "4111111111111112",
        "94111111111111111",
        "4111  1111  1111  1111",
        "1234567890123456",
        "4111 1111 1111",
        "0000 0000 0000 0000",
        "tel. 49 30 901820 und 2024-11-20",
    )

    def scan(self, text: str, start: int, *, final: bool) -> Scan:
        end = len(text)
        position = start
        if start and "0" <= text[start - 1] <= "9":  # the rest of a group whose beginning was decided is no beginning
            while position < end and "0" <= text[position] <= "9":
                position += 1
        findings: list[Finding] = []
        for row in _ROW.finditer(text, position):
            groups = [group.span() for group in _GROUP.finditer(text, row.start(), row.end())]
            open_at = -1 if final or not _may_grow(text, row.end()) else end
            undecided = _numbers(text, groups, open_at, findings)
            if undecided is not None:
                return Scan(tuple(findings), undecided)
        return Scan(tuple(findings), end)

    def undecided_from(self, text: str, start: int) -> int:
        end = len(text)
        if end == start or not _may_go_on(text[-2:]):
            return end
        return self.scan(text, max(start, end - _MOST_BEGUN), final=False).decided_to


def _may_go_on(last: str) -> bool:
    """Whether a text with these last two characters may end within a row of groups."""
    return "0" <= last[-1] <= "9" or (last[-1] in _SEPARATOR_CHARACTERS and "0" <= last[0] <= "9")


def _may_grow(text: str, row_end: int) -> bool:
    """Whether the row reaches the end of the text, or all that follows it is one separator."""
    return row_end == len(text) or (row_end == len(text) - 1 and _SEPARATOR.match(text, row_end) is not None)


def _numbers(text: str, groups: list[tuple[int, int]], open_at: int, findings: list[Finding]) -> int | None:
    """Append the card numbers of one row of groups; return where it is undecided, None if it is decided.

    `open_at` is the end of the text where the row may still grow, else -1.
    """
    taken = 0
    for first, (start, _) in enumerate(groups):
        if start < taken or text[start] not in _BRAND_STARTS:
            continue
        digits = ""
        longest = 0
        # No more groups than a number has digits: a row may be as long as the text.
        for group_start, group_end in groups[first : first + _MAX_DIGITS + 1]:
            digits += text[group_start : min(group_end, group_start + _MAX_DIGITS + 1)]
            if len(digits) > _MAX_DIGITS:
                break
            if group_end == open_at:
                return start
            if len(digits) >= _MIN_DIGITS and _BRAND.fullmatch(digits) and _check_digit_is_right(digits):
                longest = group_end
        else:
            if open_at != -1:
                return start
        if longest:
            findings.append(Finding(start, longest))
            taken = longest
    return None


_DOUBLED: Final = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)  # the sum of the digits of twice the digit


def _check_digit_is_right(digits: str) -> bool:
    """Luhn's formula."""
    values = [ord(digit) - 48 for digit in reversed(digits)]
    return (sum(values[::2]) + sum(_DOUBLED[value] for value in values[1::2])) % 10 == 0
