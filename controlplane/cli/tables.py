# SPDX-License-Identifier: Apache-2.0
"""Rows for people: a table where it fits, a block for each row where it does not.

Ids are there to be copied, so that no cell is ever cut or broken over lines. What is not a terminal is as wide as it
needs to be: a pipe gets one line for each row.
"""

import os
import re
import shutil
import sys
from collections.abc import Iterable, Sequence
from typing import Final

import click
from rich.cells import cell_len

_GAP: Final = "  "
_NOTHING: Final = "–"
# Twelve digits tell revisions apart and leave room; `--json` has all of them.
_DIGEST: Final = re.compile(r"(sha256:[0-9a-f]{12})[0-9a-f]{52}")
_FRACTION: Final = re.compile(r"(\d\d:\d\d:\d\d)\.\d+Z")


def show_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print `rows` under `columns`, with nothing in them that could colour, hide or move anything."""
    shown = [[plain(cell) for cell in row] for row in rows]
    widths = [max(map(cell_len, column)) for column in zip(columns, *shown, strict=True)]
    if sum(widths) + len(_GAP) * (len(widths) - 1) <= _room():
        for row in (list(columns), *shown):
            click.echo(_GAP.join(map(_padded, row, widths)).rstrip())
        return
    for number, row in enumerate(shown):
        if number:
            click.echo()
        for name, cell in zip(columns, row, strict=True):
            click.echo(f"{_padded(name, max(map(len, columns)))}{_GAP}{cell}")


def plain(cell: object) -> str:
    """Return a cell as text of one line: digests shortened, times to the second, nothing that does not print."""
    if cell is None or cell in ("", [], ()):
        return _NOTHING
    text = ",".join(map(str, cell)) if isinstance(cell, list | tuple) else str(cell)
    text = _FRACTION.sub(r"\1Z", _DIGEST.sub(r"\1", text))
    return "".join(letter if letter.isprintable() else "�" for letter in text)


def _padded(text: str, width: int) -> str:
    return text + " " * (width - cell_len(text))


def _room() -> float:
    """Return how many columns there are: COLUMNS where it is set, the terminal's, or no end of them."""
    if os.environ.get("COLUMNS") or sys.stdout.isatty():
        return shutil.get_terminal_size().columns
    return float("inf")
