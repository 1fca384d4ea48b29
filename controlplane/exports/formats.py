# SPDX-License-Identifier: Apache-2.0
"""The formats there are. Adding one is a module and a line here."""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Final, Protocol

from controlplane.exports import csv_table, ecs, ndjson, ocsf, parquet
from controlplane.exports.columns import Content
from controlplane.exports.rows import ExportRow


class Encode(Protocol):
    def __call__(self, rows: Iterable[ExportRow], *, include: Collection[Content] = ()) -> Iterator[bytes]:
        """Yield the file in parts; takes rows as it needs them, and keeps a bounded number."""


@dataclass(frozen=True, slots=True)
class Format:
    encode: Encode
    media_type: str
    suffix: str
    meaning: str


_NDJSON: Final = "application/x-ndjson"
FORMATS: Final = {
    "ndjson": Format(ndjson.encode, _NDJSON, "ndjson", "a decision a line, the envelope as the log has it"),
    "csv": Format(
        csv_table.encode, "text/csv; charset=utf-8", "csv", "a table that a spreadsheet opens and cannot run"
    ),
    "parquet": Format(parquet.encode, "application/vnd.apache.parquet", "parquet", "typed columns for analysis"),
    "ocsf": Format(ocsf.encode, _NDJSON, "ocsf.ndjson", f"OCSF {ocsf.SCHEMA_VERSION}, API Activity ({ocsf.CLASS_UID})"),
    "ecs": Format(ecs.encode, _NDJSON, "ecs.ndjson", f"Elastic Common Schema {ecs.ECS_VERSION}"),
}
