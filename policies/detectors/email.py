# SPDX-License-Identifier: Apache-2.0
"""E-mail addresses: up to 64 word characters or `.%+-`, `@`, a domain with a dot, and a top level of letters."""

import re
import string
from dataclasses import dataclass
from typing import ClassVar, Final

from policies.detectors.detector import CARD_DIGITS, Finding, Scan

_MAX_LOCAL: Final = 64  # RFC 5321; of a longer run the last 64 are taken, so that nothing is hidden behind padding
_MAX_DOMAIN: Final = 214  # 1 + 188 + 1 + 24 of the pattern below; the limit of RFC 5321 is 255 for the whole path
_LOCAL_MARKS: Final = frozenset("._%+-")
_ASCII_LOCAL: Final = string.ascii_letters + string.digits + "._%+-"

_DOMAIN: Final = re.compile(r"\w[\w.-]{0,188}\.[^\W\d_]{2,24}")
_DOMAIN_RUN: Final = re.compile(rf"[\w.-]{{0,{_MAX_DOMAIN}}}")


@dataclass(frozen=True, slots=True)
class EmailAddress:
    name: ClassVar[str] = "email"
    max_hold: ClassVar[int] = _MAX_LOCAL + CARD_DIGITS + 1 + _MAX_DOMAIN
    lookbehind: ClassVar[int] = 1
    clue: ClassVar[str] = "@"
    finds: ClassVar[tuple[str, ...]] = (
        "alice@example.com",
        "Write to bob.o-neil+news@mail.example.co.uk today.",
        "<carol@example.org>",
        "x" * 100 + "dave@example.net",
        "mailto:erin%work@example.io?subject=hi",
        "josé@exämple.de",
        "frank@example.com@example.org",
    )
    ignores: ClassVar[tuple[str, ...]] = (
        "root@localhost",
        "@example.com",
        "alice at example dot com",
        "a @ b.com",
        "user@.c",
        "git@host:path/repository",
        "[redacted:email]@example.com",
    )

    def scan(self, text: str, start: int, *, final: bool) -> Scan:
        findings: list[Finding] = []
        floor = start
        at = text.find("@", start)
        while at != -1:
            local = _local_start(text, at, floor)
            if local < at:
                run_end = _run_end(text, at + 1)
                if not final and run_end == len(text) and run_end - at - 1 < _MAX_DOMAIN:
                    return Scan(tuple(findings), local)
                if domain := _DOMAIN.match(text, at + 1):
                    findings.append(Finding(local, domain.end()))
                    floor = domain.end()
            at = text.find("@", max(at + 1, floor))
        return Scan(tuple(findings), len(text) if final else self.undecided_from(text, floor))

    def undecided_from(self, text: str, start: int) -> int:
        end = len(text)
        return _while_local(text, end, max(start, end - _MAX_LOCAL - CARD_DIGITS))


def _run_end(text: str, start: int) -> int:
    run = _DOMAIN_RUN.match(text, start)
    return run.end() if run else start


def _local_start(text: str, end: int, floor: int) -> int:
    """Return where a local part that ends at `end` begins, not before `floor`.

    Beyond the limit it takes the digits that the limit would cut a run of (rule 2 of the detectors).
    """
    limit = max(floor, end - _MAX_LOCAL)
    start = _while_local(text, end, limit)
    if start > limit or limit == floor or not _is_digit(text[start]):
        return start
    widest = max(floor, start - CARD_DIGITS)
    digits = start
    while digits > widest and _is_digit(text[digits - 1]):
        digits -= 1
    return start if digits == widest and digits > 0 and _is_digit(text[digits - 1]) else digits


def _while_local(text: str, end: int, limit: int) -> int:
    start = limit + len(text[limit:end].rstrip(_ASCII_LOCAL))  # in nearly every text all there is to strip
    while start > limit and ((character := text[start - 1]).isalnum() or character in _LOCAL_MARKS):
        start -= 1
    return start


def _is_digit(character: str) -> bool:
    return "0" <= character <= "9"
