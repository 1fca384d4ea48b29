# SPDX-License-Identifier: Apache-2.0
"""Take records in: every line of a batch ends as stored, known already, or in quarantine, in one transaction."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from controlplane.identifiers import Clock
from controlplane.services.errors import Refused
from controlplane.services.model import Principal
from controlplane.services.ports import Store
from controlplane.services.record_lines import UnreadableLine, put_aside, read_line
from controlplane.services.records import Ingested, QuarantinedLine, ReceivedRecord

MAX_LINES: Final = 1_000
MAX_BATCH_BYTES: Final = 8 * 1024 * 1024


class TooLarge(Refused):
    """The batch is beyond its limits; it would be taken in smaller pieces."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ingestion:
    store: Store
    clock: Clock

    def append(self, actor: Principal, batch: bytes) -> Ingested:
        """Return what became of the lines of `batch`, once it is durable."""
        if len(batch) > MAX_BATCH_BYTES:
            raise TooLarge("body-too-large", f"A batch has at most {MAX_BATCH_BYTES} bytes.")
        if batch.count(b"\n") > MAX_LINES:
            raise TooLarge("too-many-lines", f"A batch has at most {MAX_LINES} lines.")
        records: list[ReceivedRecord] = []
        quarantined: list[QuarantinedLine] = []
        for line in _lines(batch):
            try:
                records.append(read_line(line, tenant=actor.tenant))
            except UnreadableLine as exc:
                quarantined.append(put_aside(line, tenant=actor.tenant, reason=exc.reason))
        if not records and not quarantined:
            return Ingested(stored=0, duplicates=0, quarantined=0)
        with self.store.write() as session:
            return session.decisions.append(actor.tenant, records, quarantined, at=self.clock())


def _lines(batch: bytes) -> Iterator[bytes]:
    return (line for line in batch.split(b"\n") if line)
