# SPDX-License-Identifier: Apache-2.0
"""pyarrow reads back what was written, and the file grows by row groups."""

import io
import subprocess
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from controlplane.exports import parquet
from controlplane.exports.columns import Content, columns_of
from tests.exported import every_kind_of_row, make_row


def written(rows, include=()) -> bytes:
    return b"".join(parquet.encode(rows, include=include))


def test_every_value_comes_back():
    rows = every_kind_of_row()
    columns = columns_of(list(Content))
    table = pq.read_table(io.BytesIO(written(rows, list(Content))))
    assert table.column_names == [column.name for column in columns]
    assert table.to_pylist() == [{column.name: column.of(row) for column in columns} for row in rows]


def test_columns_have_types():
    schema = pq.read_schema(io.BytesIO(written([])))
    assert schema.field("log_index").type == pa.int64()
    assert schema.field("time").type == pa.timestamp("us", tz="UTC")
    assert schema.field("reasons").type == pa.list_(pa.string())
    assert schema.field("stream").type == pa.bool_()


def test_rows_are_written_in_groups_while_they_come(monkeypatch):
    monkeypatch.setattr(parquet, "ROW_GROUP_ROWS", 5)
    monkeypatch.setattr(parquet, "_BATCH_ROWS", 2)
    taken = 0

    def rows():
        nonlocal taken
        for number in range(12):
            taken += 1
            yield make_row(number)

    parts = parquet.encode(rows())
    first = next(parts)
    assert (taken, len(first) > 4) == (5, True)
    file = pq.ParquetFile(io.BytesIO(first + b"".join(parts)))
    assert [file.metadata.row_group(number).num_rows for number in range(file.num_row_groups)] == [5, 5, 2]
    assert file.read()["log_index"].to_pylist() == list(range(12))


@pytest.mark.parametrize("limit", ["_ROW_GROUP_BYTES", "_BATCH_BYTES"])
def test_long_rows_end_a_batch_and_a_group_early(monkeypatch, limit):
    monkeypatch.setattr(parquet, limit, 2000)
    rows = [make_row(number, model="x" * 900) for number in range(9)]
    table = pq.read_table(io.BytesIO(written(rows)))
    assert table["log_index"].to_pylist() == list(range(9))


def test_the_file_is_the_same_every_time():
    assert written(every_kind_of_row()) == written(every_kind_of_row())


def test_pyarrow_is_imported_only_when_it_is_used():
    code = "import sys, controlplane.exports.formats; sys.exit('pyarrow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
