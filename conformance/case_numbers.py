# SPDX-License-Identifier: Apache-2.0
"""The form in which a caller names cases."""

import re
from typing import Final

import click

from conformance.cases import CASES

_NUMBERS: Final = re.compile(r"(\d{1,3})(?:-(\d{1,3}))?", re.ASCII)


class CaseNumbers(click.ParamType[frozenset[int]]):
    """`1,5,20-24` as a set of numbers."""

    name = "numbers"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> frozenset[int]:
        if isinstance(value, frozenset):
            return value
        numbers: set[int] = set()
        for part in str(value).split(","):
            found = _NUMBERS.fullmatch(part.strip())
            if found is None:
                self.fail(f"{part!r} is neither a number nor a range such as 20-24", param, ctx)
            first, last = int(found[1]), int(found[2] or found[1])
            if last < first:
                self.fail(f"{part!r} runs backwards", param, ctx)
            numbers |= set(range(first, last + 1))
        if unknown := numbers - {case.number for case in CASES}:
            self.fail(f"there is no case {min(unknown)}; there are 1 to {len(CASES)}", param, ctx)
        return frozenset(numbers)
