# SPDX-License-Identifier: Apache-2.0
"""The columns of the flat formats are those that the reference shows."""

import re
from datetime import UTC, datetime
from pathlib import Path

from controlplane.exports.columns import COLUMNS, CONTENT_COLUMNS, ColumnType, Content, columns_of
from tests.exported import make_row

PAGE = Path(__file__).resolve().parents[4] / "docs" / "reference" / "exports.md"


def test_the_reference_lists_every_column():
    section = re.search(r"^## Columns\n(.*?)^## ", PAGE.read_text(), re.DOTALL | re.MULTILINE)[1]
    shown = re.findall(r"^\| `(\w+)` \| (\w+) \| (.*) \|$", section, re.MULTILINE)
    every = (*COLUMNS, *CONTENT_COLUMNS.values())
    assert shown == [(column.name, column.type.value, column.meaning) for column in every]


def test_content_has_columns_only_where_it_was_asked_for():
    assert columns_of(()) == COLUMNS
    assert [column.name for column in columns_of([Content.INPUT, Content.SUBJECT])[-2:]] == ["subject", "input"]


def test_values_have_the_type_of_their_column():
    kinds = {
        ColumnType.TEXT: str,
        ColumnType.INTEGER: int,
        ColumnType.FLAG: bool,
        ColumnType.TIME: datetime,
        ColumnType.TEXTS: list,
    }
    row = make_row(7, trace_id="4bf9", would_have="deny", reasons=(("access-denied", "chat-access"),))
    values = {column: column.of(row) for column in columns_of(list(Content))}
    assert {column.name for column, value in values.items() if value is None} <= {"credential"}
    assert all(type(value) is kinds[column.type] for column, value in values.items() if value is not None)
    by_name = {column.name: value for column, value in values.items()}
    assert by_name["time"] == datetime(2026, 11, 20, 18, 0, 0, 123456, tzinfo=UTC)
    assert (by_name["log_index"], by_name["subject"], by_name["input"]) == (7, "user:alice", "{}")
