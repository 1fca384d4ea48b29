# SPDX-License-Identifier: Apache-2.0
"""Archives: a range of the log as a file that verifies where nothing of ours runs (`docs/spec/log.md`).

Facts: the archive's checkpoint is signed by the sequencer, which may be another process; it covers the range a moment
after the range was asked for. Entries are read in slices, each in a transaction of its own: what is below a signed size
never changes but for what retention and erasure take away, and then the leaf hash stands in its place.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import IO, Any, Final, cast

from controlplane.audit.archive import ArchivedEntry, ArchiveHead, EarlierCheckpoint, archive_files
from controlplane.audit.archive_files import write_zip
from controlplane.audit.note_keys import VerifierKey
from controlplane.audit.proofs import consistency_proof, range_proof
from controlplane.audit.tiles import TileUnreadable
from controlplane.identifiers import Clock
from controlplane.services.checkpoints import SignedCheckpoint
from controlplane.services.errors import Conflict
from controlplane.services.jobs import Job
from controlplane.services.log_state import StoredTiles
from controlplane.services.operation import OperationResult
from controlplane.services.ports import LogReader, Session, Store
from controlplane.services.records import LogEntry
from policies.contracts.codec import JSON

MEDIA_TYPE: Final = "application/zip"
# A sequencer signs every two seconds, also after it has checked a log of millions of entries at its start.
_CHECKPOINT_WITHIN_S: Final = 60.0
_LOOK_EVERY_S: Final = 0.25
# A witness is asked within two seconds of a signature; one that is down must not hold up an archive.
_COSIGNED_WITHIN_S: Final = 6.0
# Each with its proof is some 2 KB, and a verifier takes 20,000 files.
_MOST_EARLIER: Final = 200
_SLICE: Final = 1_000

VerifierKeys = Callable[[str], Sequence[VerifierKey]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Archives:
    """Writes archives. `keys` are those that the log and its witnesses say are theirs."""

    store: Store
    clock: Clock
    keys: VerifierKeys

    def run(self, job: Job) -> tuple[OperationResult, Mapping[str, JSON]]:
        """Write the archive that an export asked for."""
        question: Any = job.operation.question
        tenant = job.operation.tenant
        if question["end"] is None:
            # All there is: up to the last checkpoint, so that nothing the log vouches for is behind its end.
            signed = self.checkpoint(job, question["as_of"], newest=True)
            first, end = question["first"], signed.size
        else:
            signed = self.checkpoint(job, question["end"])
            first, end = question["first"], question["end"]
        head = self.head(tenant, signed, first=first, end=end)
        with job.begin("archive.zip") as file:
            entries = self.entries(job, first, end, payloads=question["payloads"])
            write_zip(cast("IO[bytes]", file), archive_files(head, entries))
            result = job.kept(file, MEDIA_TYPE)
        return result, {
            "format": "archive",
            "payloads": question["payloads"],
            "first": first,
            "end": end,
            "size": signed.size,
            "count": end - first,
            "digest": result.digest,
            "bytes": result.size_bytes,
        }

    def checkpoint(self, job: Job, size: int, *, newest: bool = False) -> SignedCheckpoint:
        """Return the first checkpoint that covers `size` entries, or the newest, once there is one. Raises Conflict.

        Where the log has witnesses, one that they cosigned is waited for a while and preferred: a verifier who insists
        on a witness would find nothing else to hold to.
        """
        tenant = job.operation.tenant
        patience = int(_COSIGNED_WITHIN_S / _LOOK_EVERY_S) if len(self.keys(tenant)) > 1 else 0
        for _ in range(int(_CHECKPOINT_WITHIN_S / _LOOK_EVERY_S)):
            with self.store.read() as session:
                signed = session.checkpoints.covering(tenant, size)
                if signed is not None and newest:
                    signed = session.checkpoints.latest(tenant)
                cosigned = session.checkpoints.cosigned(tenant, size) if patience else None
            if cosigned is not None:
                return cosigned
            if signed is not None:
                if patience <= 0:
                    return signed
                patience -= 1
            job.advance(done=0, total=size, rows=0)
            job.closing.wait(_LOOK_EVERY_S)
        raise Conflict(
            "nothing-signed",
            "No checkpoint covers the range yet: a control plane with GATEHOUSE_LOG_KEY_FILE must run, and signs one.",
        )

    def head(
        self, tenant: str, signed: SignedCheckpoint, *, first: int, end: int, others: Mapping[str, bytes] | None = None
    ) -> ArchiveHead:
        """Return all of an archive but its entries."""
        with self.store.read() as session:
            tiles = StoredTiles(session.log, tenant)
            try:
                return ArchiveHead(
                    tenant=tenant,
                    origin=signed.note.partition("\n")[0],
                    made_at=self.clock(),
                    checkpoint=signed.text.encode(),
                    range_proof=range_proof(tiles, first=first, end=end, size=signed.size),
                    keys=self.keys(tenant),
                    earlier=tuple(
                        EarlierCheckpoint(
                            note=earlier.text.encode(),
                            proof=consistency_proof(tiles, first=earlier.size, second=signed.size),
                        )
                        for earlier in _earlier(session, tenant, signed.size)
                    ),
                    others=others or {},
                )
            except TileUnreadable as exc:
                raise Conflict(
                    "tile-unreadable",
                    f"The log's tiles cannot be read ({exc}). `gatehouse audit fsck` says more.",
                ) from exc

    def entries(self, job: Job, first: int, end: int, *, payloads: bool) -> Iterator[ArchivedEntry]:
        """Yield the entries of a range, saying how far it is."""
        for entry in slices(self.store, job, first, end):
            is_kept = payloads and entry.payload is not None and _is_text(entry.payload)
            yield ArchivedEntry(
                index=entry.log_index,
                leaf_hash=entry.leaf_hash,
                envelope=entry.envelope,
                payload=entry.payload if is_kept else None,
            )


def slices(store: Store, job: Job, first: int, end: int) -> Iterator[LogEntry]:
    """Yield the entries of a range in short transactions, and say after each how far it is."""
    for begin in range(first, end, _SLICE):
        last = min(begin + _SLICE, end) - 1
        with store.read() as session:
            entries = tuple(session.log.entries(job.operation.tenant, begin, last))
        yield from entries
        job.advance(done=last + 1 - first, total=end - first, rows=last + 1 - first)


def index_at(log: LogReader, tenant: str, at: datetime, *, begins: bool) -> int:
    """Return the index of the first entry that was received at `at` or later; the log's size where there is none.

    Of a day whose envelopes retention has dropped no times are left: it counts as a whole, into a range that `begins`
    in it and into one that ends there.
    """
    low, high = 0, log.size(tenant)
    for day in log.days(tenant):
        if day.day < at.date():
            low = day.end_index
        elif day.day == at.date():
            low, high = day.first_index, day.end_index
            break
        else:
            high = day.first_index
            break
    begin, end = low, high
    while low < high:
        middle = (low + high) // 2
        entry = log.entry(tenant, middle)
        if entry is None or entry.received_at is None:
            return begin if begins else end
        if entry.received_at >= at:
            high = middle
        else:
            low = middle + 1
    return low


def _earlier(session: Session, tenant: str, size: int) -> Iterator[SignedCheckpoint]:
    """Yield checkpoints of fewer entries, spread over the log, the first of all among them."""
    step = max(1, size // _MOST_EARLIER)
    after: int | None = None
    while True:
        page = session.checkpoints.page(tenant, after=after, limit=1)
        if not page.items or page.items[0].size >= size:
            return
        yield page.items[0]
        after = page.items[0].size + step - 1


def _is_text(payload: bytes) -> bool:
    """Tell whether a payload can stand in a line of JSON; ingestion vouches for its digest only."""
    try:
        payload.decode()
    except UnicodeDecodeError:
        return False
    return True
