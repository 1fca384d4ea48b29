# SPDX-License-Identifier: Apache-2.0
"""Whether what a gateway's log hands out can do harm where it is opened: pure, from the bytes as they came.

Theory: a client chooses some of what is recorded. In a line it must stay on its line, on a terminal it must move
nothing, in a table it must not become a formula. Facts: OWASP ("CSV Injection") names `=`, `+`, `-`, `@`, TAB and line
breaks as first characters; spreadsheets also skip blanks, quotes and invisible characters before them, and fold
compatibility forms such as `＝`.
"""

import csv
import io
import json
import unicodedata
from typing import Any, Final

_LIVE: Final = frozenset("=+-@\t\r\n\N{MINUS SIGN}")
_QUOTES: Final = frozenset('"`´‘’‚‛“”„‟«»‹›＂＇')
_HIDDEN: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
_SPACE: Final = 0x20
_LINE_FEED: Final = 0x0A


def harm_in_json(content: bytes) -> str | None:
    """Return what is wrong with one JSON value: control characters that stand in it as they are, or no JSON."""
    if any(byte < _SPACE and byte != _LINE_FEED for byte in content):
        return "a control character stands in JSON as it is"
    try:
        json.loads(content)
    except (ValueError, RecursionError):
        return "it is no JSON"
    return None


def lines_of(content: bytes) -> list[dict[str, Any]]:
    """Return the objects of NDJSON. Raises ValueError where a line is none of its own."""
    if content and not content.endswith(b"\n"):
        raise ValueError("the last line has no end")
    values = []
    for line in content.split(b"\n")[:-1]:
        if problem := harm_in_json(line):
            raise ValueError(problem)
        value = json.loads(line)
        if not isinstance(value, dict):
            raise ValueError("a line is no object")  # noqa: TRY004  # as with every line that is wrong
        values.append(value)
    return values


def rows_of_csv(content: bytes) -> tuple[list[str], list[list[str]]]:
    """Return the names and rows of a table. Raises ValueError where it is none, or a row has other cells than names."""
    text = content.decode()
    rows = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    if not rows:
        raise ValueError("the table has no names")
    names, *others = rows
    for row in others:
        if len(row) != len(names):
            raise ValueError(f"a row of the table has {len(row)} cells, and there are {len(names)} names")
    return names, others


def harm_in_cell(cell: str) -> str | None:
    """Return what a spreadsheet or a terminal could do with `cell`, None where it is harmless."""
    if any(unicodedata.category(letter) in _HIDDEN for letter in cell):
        return "a character that controls or hides"
    first = next((letter for letter in cell if not (letter.isspace() or letter in _QUOTES)), "")
    if first and not _LIVE.isdisjoint(first + unicodedata.normalize("NFKC", first)):
        return "a formula"
    return None
