# SPDX-License-Identifier: Apache-2.0
"""NDJSON: a decision a line, with the envelope byte for byte as the log keeps it.

The envelope is canonical JSON, so that what a reader canonicalises again (RFC 8785) is what the leaf hash was made of.
"""

import json
from collections.abc import Collection, Iterable, Iterator

from controlplane.exports.columns import Content
from controlplane.exports.rows import ExportRow
from controlplane.services.times import format_time


def encode(rows: Iterable[ExportRow], *, include: Collection[Content] = ()) -> Iterator[bytes]:
    for row in rows:
        yield b'{"envelope":%b,%b\n' % (row.envelope, _rest(row, include))


def _rest(row: ExportRow, include: Collection[Content]) -> bytes:
    """Return the members after the envelope, with the bracket that ends the line."""
    members = [
        f'"first_index":{row.first_index},"log_index":{row.log_index},"received_at":"{format_time(row.received_at)}"',
    ]
    if Content.SUBJECT in include:
        # ASCII: U+2028 and U+0085 end a line for some readers.
        members.append(f'"subject":{json.dumps(row.subject)}')
    if Content.INPUT in include:
        members.append(f'"input":{row.input or "null"}')
    return (",".join(members) + "}").encode()
