# SPDX-License-Identifier: Apache-2.0
"""The files of an archive (`docs/spec/log.md`): a range of the log that verifies where nothing of ours runs.

Pure: entries and proofs in, names and bytes out, one file after another and each in pieces, so that memory does not
grow with the range. `controlplane.audit.archive_files` puts them into a zip.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

import orjson

from controlplane.audit.note_keys import VerifierKey
from controlplane.audit.proofs import RangeProof
from controlplane.audit.strict_text import to_base64

SCHEMA: Final = "gatehouse.archive/1"
MANIFEST: Final = "manifest.json"
CHECKPOINT: Final = "checkpoint"
RANGE_PROOF: Final = "range-proof.json"
ENTRIES_IN_A_FILE: Final = 65_536
_PIECE_BYTES: Final = 256 * 1024

ArchiveFile = tuple[str, Iterator[bytes]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchivedEntry:
    """One entry. `envelope` is None once retention dropped it; `payload` is given only where it is to go along."""

    index: int
    leaf_hash: bytes
    envelope: bytes | None
    payload: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EarlierCheckpoint:
    """A note that the log signed before, and the proof that it is consistent with the archive's checkpoint."""

    note: bytes
    proof: tuple[bytes, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveHead:
    """All of an archive but its entries. `checkpoint` is the note over `range_proof.size` entries.

    `others` are files of an evidence pack, by name; their content is covered by the manifest alone.
    """

    tenant: str
    origin: str
    made_at: datetime
    checkpoint: bytes
    range_proof: RangeProof
    keys: Sequence[VerifierKey] = ()
    earlier: Sequence[EarlierCheckpoint] = ()
    others: Mapping[str, bytes] = field(default_factory=dict)


def entries_name(number: int) -> str:
    return f"entries-{number:05}.ndjson"


def earlier_name(number: int) -> str:
    return f"earlier/{number:05}.json"


def key_name(number: int) -> str:
    return f"keys/{number}.vkey"


def archive_files(head: ArchiveHead, entries: Iterable[ArchivedEntry]) -> Iterator[ArchiveFile]:
    """Yield each file's name and pieces, the manifest last. A file's pieces MUST be taken before the next file is.

    `entries` are those of the range, in order. Raises ValueError at the first that is not the next one, or at the end
    where some are missing.
    """
    digests: dict[str, str] = {}

    def noted(name: str, pieces: Iterable[bytes]) -> ArchiveFile:
        return name, _digested(name, pieces, digests)

    yield noted(CHECKPOINT, [head.checkpoint])
    yield noted(RANGE_PROOF, [range_proof_bytes(head.range_proof)])
    for number, key in enumerate(head.keys):
        yield noted(key_name(number), [f"{key}\n".encode()])
    for number, earlier in enumerate(head.earlier):
        yield noted(earlier_name(number), [earlier_bytes(earlier)])
    for name, content in head.others.items():
        yield noted(name, [content])
    lines = _lines(entries, head.range_proof)
    for number in range(-(-(head.range_proof.end - head.range_proof.first) // ENTRIES_IN_A_FILE)):
        yield noted(entries_name(number), _pieces(lines))
    next(lines, None)  # raises where the last file is full and the entries end elsewhere than the range
    yield MANIFEST, iter([manifest_bytes(head, digests)])


def entry_line(entry: ArchivedEntry) -> bytes:
    """Return the line of an entry, with its newline."""
    members: dict[str, object] = {"index": entry.index, "leaf_hash": to_base64(entry.leaf_hash)}
    if entry.envelope is None:
        members["dropped"] = True
    else:
        members["envelope"] = entry.envelope.decode()
    if entry.payload is not None:
        members["payload"] = entry.payload.decode()
    return orjson.dumps(members, option=orjson.OPT_APPEND_NEWLINE)


def range_proof_bytes(proof: RangeProof) -> bytes:
    members = {
        "first": proof.first,
        "end": proof.end,
        "size": proof.size,
        "left": [to_base64(each) for each in proof.left],
        "right": [to_base64(each) for each in proof.right],
    }
    return orjson.dumps(members, option=orjson.OPT_APPEND_NEWLINE)


def earlier_bytes(earlier: EarlierCheckpoint) -> bytes:
    members = {"checkpoint": earlier.note.decode(), "proof": [to_base64(each) for each in earlier.proof]}
    return orjson.dumps(members, option=orjson.OPT_APPEND_NEWLINE)


def manifest_bytes(head: ArchiveHead, digests: Mapping[str, str]) -> bytes:
    members = {
        "schema": SCHEMA,
        "tenant": head.tenant,
        "origin": head.origin,
        "first": head.range_proof.first,
        "end": head.range_proof.end,
        "size": head.range_proof.size,
        "made_at": head.made_at.isoformat(timespec="seconds").replace("+00:00", "Z"),
        "files": dict(digests),
    }
    return orjson.dumps(members, option=orjson.OPT_APPEND_NEWLINE | orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS)


def _lines(entries: Iterable[ArchivedEntry], proof: RangeProof) -> Iterator[bytes]:
    expected = proof.first
    for entry in entries:
        if entry.index != expected or expected == proof.end:
            msg = f"entry {entry.index} is given where {expected} is the next and {proof.end} the end"
            raise ValueError(msg)
        yield entry_line(entry)
        expected += 1
    if expected != proof.end:
        msg = f"the entries end at {expected}, and the range at {proof.end}"
        raise ValueError(msg)


def _pieces(lines: Iterator[bytes]) -> Iterator[bytes]:
    """Yield the lines of one file, gathered: a piece for each line would cost more than the line."""
    piece = bytearray()
    for _, line in zip(range(ENTRIES_IN_A_FILE), lines, strict=False):
        piece += line
        if len(piece) >= _PIECE_BYTES:
            yield bytes(piece)
            piece.clear()
    yield bytes(piece)


def _digested(name: str, pieces: Iterable[bytes], digests: dict[str, str]) -> Iterator[bytes]:
    seen = hashlib.sha256()
    for piece in pieces:
        seen.update(piece)
        yield piece
    digests[name] = "sha256:" + seen.hexdigest()
