# SPDX-License-Identifier: Apache-2.0
"""Parquet, with typed columns, a row group at a time.

Facts: pyarrow is some 100 MB in memory, so that it is imported when a Parquet file is asked for and not before. A row
group is kept in memory until it is written; it ends at 50,000 rows, or earlier where inputs are long.
"""

from collections.abc import Collection, Iterable, Iterator
from typing import TYPE_CHECKING, Any, Final

from controlplane.exports.columns import Column, ColumnType, Content, columns_of
from controlplane.exports.rows import ExportRow

if TYPE_CHECKING:
    import pyarrow as pa

ROW_GROUP_ROWS: Final = 50_000
_ROW_GROUP_BYTES: Final = 64 * 1024 * 1024
# Rows become columns this many at a time: Python's own objects take ten times what a column does.
_BATCH_ROWS: Final = 1_000
_BATCH_BYTES: Final = 8 * 1024 * 1024
_ZSTD_LEVEL: Final = 3


def encode(rows: Iterable[ExportRow], *, include: Collection[Content] = ()) -> Iterator[bytes]:
    """Yield the file in parts. The same rows give the same bytes with the same version of pyarrow."""
    import pyarrow as pa  # noqa: PLC0415  # as the module says
    import pyarrow.parquet as pq  # noqa: PLC0415  # as above

    columns = columns_of(include)
    schema = pa.schema([(column.name, _type(column.type)) for column in columns])
    sink = _Sink()
    with pq.ParquetWriter(
        pa.PythonFile(sink, mode="w"), schema, compression="zstd", compression_level=_ZSTD_LEVEL
    ) as file:
        for group in _row_groups(rows, columns, schema):
            file.write_table(group, row_group_size=ROW_GROUP_ROWS)
            yield sink.taken()
    yield sink.taken()


def _row_groups(rows: Iterable[ExportRow], columns: tuple[Column, ...], schema: "pa.Schema") -> Iterator["pa.Table"]:
    import pyarrow as pa  # noqa: PLC0415  # as the module says

    batches: list[pa.RecordBatch] = []
    held: list[ExportRow] = []
    row_count = byte_count = held_bytes = 0

    def pack() -> None:
        nonlocal byte_count, held_bytes
        arrays = [pa.array([column.of(row) for row in held], type=schema.field(column.name).type) for column in columns]
        batches.append(pa.RecordBatch.from_arrays(arrays, schema=schema))
        byte_count += batches[-1].nbytes
        held.clear()
        held_bytes = 0

    for row in rows:
        held.append(row)
        held_bytes += len(row.envelope) + len(row.input or "")
        row_count += 1
        is_full = row_count == ROW_GROUP_ROWS
        if is_full or len(held) == _BATCH_ROWS or held_bytes > _BATCH_BYTES:
            pack()
        if is_full or byte_count > _ROW_GROUP_BYTES:
            yield pa.Table.from_batches(batches, schema=schema)
            batches.clear()
            row_count = byte_count = 0
    if held:
        pack()
    if batches:
        yield pa.Table.from_batches(batches, schema=schema)


def _type(of: ColumnType) -> "pa.DataType":
    import pyarrow as pa  # noqa: PLC0415  # as the module says

    types: dict[ColumnType, Any] = {
        ColumnType.TEXT: pa.string(),
        ColumnType.INTEGER: pa.int64(),
        ColumnType.FLAG: pa.bool_(),
        ColumnType.TIME: pa.timestamp("us", tz="UTC"),
        ColumnType.TEXTS: pa.list_(pa.string()),
    }
    return types[of]


class _Sink:
    """What pyarrow writes to: keeps the bytes until they are taken."""

    closed = False

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._written = 0

    def write(self, part: Any) -> int:
        kept = bytes(part)
        self._parts.append(kept)
        self._written += len(kept)
        return len(kept)

    def tell(self) -> int:
        return self._written

    def flush(self) -> None:
        """Nothing is held back here."""

    def close(self) -> None:
        self.closed = True

    def taken(self) -> bytes:
        """Return what was written since the last time."""
        parts = b"".join(self._parts)
        self._parts.clear()
        return parts
