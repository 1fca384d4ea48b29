# SPDX-License-Identifier: Apache-2.0
"""CSV (RFC 4180) that a spreadsheet cannot run: every cell quoted, and harmless as `cells` has it."""

import csv
import io
from collections.abc import Collection, Iterable, Iterator
from datetime import datetime
from typing import assert_never

from controlplane.exports.cells import harmless
from controlplane.exports.columns import Content, Value, columns_of
from controlplane.exports.rows import ExportRow
from controlplane.services.times import format_time


def encode(rows: Iterable[ExportRow], *, include: Collection[Content] = ()) -> Iterator[bytes]:
    columns = columns_of(include)
    line = io.StringIO()
    writer = csv.writer(line, dialect="excel", quoting=csv.QUOTE_ALL, lineterminator="\r\n")

    def written(cells: Iterable[str]) -> bytes:
        line.seek(0)
        line.truncate()
        writer.writerow(cells)
        return line.getvalue().encode()

    yield written(column.name for column in columns)
    for row in rows:
        yield written(cell(column.of(row)) for column in columns)


def cell(value: Value) -> str:
    """Return a value as a cell: empty where there is none, lists with a space between their items."""
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case datetime():
            return format_time(value)
        case list():
            return harmless(" ".join(value))
        case str():
            return harmless(value)
        case _:
            assert_never(value)
