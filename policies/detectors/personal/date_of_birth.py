# SPDX-License-Identifier: Apache-2.0
"""Dates of birth: a day that there is, behind words that say that somebody was born on it."""

import re
from contextlib import suppress
from datetime import date
from typing import Final

from policies.detectors.context import Words, leads
from policies.detectors.contract import Candidate, Detector, Pattern

_WORDS: Final = Words.of(
    "born", "birth", "birthday", "birthdate", "birth date", "date of birth", "dob", "d o b", "bday", "geboren", "geb",
    "geburtsdatum", "geburtstag", "né le", "née le", "naissance", "date de naissance", "nacimiento", "nacido", "nacida",
    "fecha de nacimiento", "nascita", "nato", "nata", "data di nascita", "nascimento", "nascido", "nascida",
    "geboortedatum", "geboorte",
)  # fmt: skip
_OTHER_DATES: Final = Words.of(
    "died", "death", "deceased", "expires", "expiry", "expiration", "issued", "hired", "joined", "since", "until",
    "created", "updated", "published", "due", "signed", "married", "founded", "gestorben", "gültig", "ausgestellt",
)  # fmt: skip
# The beginnings of the months in English, German, French, Spanish, Italian, Portuguese and Dutch, without marks.
_MONTHS: Final = (
    "jan|ene|gen", "feb|fev", "mar|mrt|maa", "apr|avr|abr", "may|mai|mag|mei", "jun|juin|giu", "jul|juil|lug",
    "aug|aou|ago", "sep|set", "oct|okt|ott|out", "nov", "dec|dez|dic",
)  # fmt: skip
_MONTH_FORMS: Final = tuple(re.compile(beginnings) for beginnings in _MONTHS)
_PART: Final = re.compile(r"[0-9]+|[A-Za-z]{3,}")
_PARTS: Final = 3
_FIRST_YEAR: Final = 1880
_LAST_YEAR: Final = 2099
_TWO_DIGITS: Final = 100
_CENTURY: Final = 1900


def _is_day(year: int, month: int, day: int) -> bool:
    with suppress(ValueError):
        date(year + _CENTURY if year < _TWO_DIGITS else year, month, day)
        return year < _TWO_DIGITS or _FIRST_YEAR <= year <= _LAST_YEAR
    return False


def _month(name: str) -> int:
    """Return the number of a month, 0 for another word."""
    return next((number for number, form in enumerate(_MONTH_FORMS, 1) if form.match(name)), 0)


def _is_date(value: str) -> bool:
    parts = [part for part in _PART.findall(value.lower()) if part.isdigit() or _month(part)]
    if len(parts) != _PARTS:
        return False
    first, second, third = (int(part) if part.isdigit() else 0 for part in parts)
    named = next((_month(part) for part in parts if not part.isdigit()), 0)
    if named:
        day, year = (first or second, third) if third else (0, 0)
        return _is_day(year, named, day)
    if first >= _TWO_DIGITS:
        return _is_day(first, second, third)
    return _is_day(third, second, first) or _is_day(third, first, second)


def _judge(candidate: Candidate) -> float | None:
    if not leads(candidate.before, _WORDS, _OTHER_DATES):
        return None
    return 0.9 if _is_date(candidate.value) else None


_NAME: Final = rf"(?:{'|'.join(_MONTHS)})[a-z]{{0,8}}"

# Only English has the month in front. Whole names: hyperscan looks for literals many times as fast as for classes.
_ENGLISH: Final = (
    "january|february|march|april|may|june|july|august|september|october|november|december"
    "|jan|feb|mar|apr|jun|jul|aug|sept|sep|oct|nov|dec"
)

DATE_OF_BIRTH: Final = Detector(
    name="date-of-birth",
    kind="DATE_OF_BIRTH",
    group="personal-data",
    patterns=(
        Pattern(expression=r"\d{1,2}[./-]\d{1,2}[./-](?:\d{4}|\d{2})"),
        Pattern(expression=r"\d{1,2}\. \d{1,2}\. \d{4}"),
        Pattern(expression=r"(?:1[89]|20)\d{2}[./-]\d{1,2}[./-]\d{1,2}"),
        Pattern(
            expression=rf"\d{{1,2}}(?:st|nd|rd|th|er|\.)?[ -](?:of |de )?{_NAME}\.?,?[ -](?:de |of )?\d{{4}}",
            ignore_case=True,
        ),
        Pattern(expression=rf"(?:{_ENGLISH})\.? \d{{1,2}}(?:st|nd|rd|th)?,? \d{{4}}", ignore_case=True),
    ),
    judge=_judge,
    finds=(
        "DOB: 03/14/1985",
        "born on 14 March 1985 in Leeds",
        "date of birth 1985-03-14",
        "Geburtsdatum: 14.3.1985",
        "née le 14 mars 1985",
        "fecha de nacimiento: 14 de marzo de 1985",
        "Her birthday is March 14th, 1985.",
    ),
    ignores=(
        "14 March 1985",
        "1985-03-14",
        "DOB: 31/31/1985",
        "born in 1985",
        "born in Leeds, died 14 March 1985",
        "date of birth: 30 February 1985",
        "birth of version 1.2.3",
    ),
)
