# SPDX-License-Identifier: Apache-2.0
"""Logs and archives of tests: entries as sources write them, a key, and the files of a range."""

import json
from datetime import UTC, datetime, timedelta

from controlplane.audit.archive import ArchivedEntry, ArchiveHead, EarlierCheckpoint, archive_files
from controlplane.audit.archive_files import write_zip
from controlplane.audit.checkpoints import Checkpoint, sign_checkpoint
from controlplane.audit.frontier import Frontier
from controlplane.audit.hashes import leaf_hash
from controlplane.audit.note_keys import KeyKind, SignerKey
from controlplane.audit.proofs import consistency_proof, range_proof
from controlplane.audit.tiles import append
from policies.contracts.codec import canonical_bytes
from tests.unit.controlplane.audit import naive_tree

AT = datetime(2026, 11, 20, 18, tzinfo=UTC)
ORIGIN = "audit.example/acme"
LOG_KEY = SignerKey(ORIGIN, KeyKind.NOTE, b"seed" * 8)  # always the same, so that mutations of a fuzzer are


def envelope(kind, *, source="node-1/w0", boot="b1", seq=None, after_s=0, schema="gatehouse.source/1", **members):
    of = None if seq is None else {"id": source, "boot_id": boot, "seq": seq}
    at = (AT + timedelta(seconds=after_s)).isoformat(timespec="microseconds").replace("+00:00", "Z")
    return canonical_bytes({"schema": schema, "kind": kind, "source": of, "time": at, **members})


def start(seq=1, *, previous=None, **of):
    return envelope("start", seq=seq, version="0.2.0", previous=previous, **of)


def request(seq, kind="terminal", request_id=None, **of):
    return envelope(kind, seq=seq, schema="gatehouse.decision/1", request_id=request_id or f"req_{seq}", **of)


def gap(first, last, *, source="node-1/w0", boot="b1", count=None, state="open", **of):
    missing = {"source_id": source, "boot_id": boot, "first_seq": first, "last_seq": last}
    told = {**missing, "count": count or last - first + 1, "state": state}
    return envelope("gap", schema="gatehouse.gap/1", gap=told, **of)


def dropped(first, end, **of):
    detail = {"class": of.pop("class_", "records"), "first_index": first, "last_index": end - 1, "count": end - first}
    return envelope("admin", schema="gatehouse.admin/1", action="retention_drop_announced", detail=detail, **of)


ORDERLY = [start(), *(request(seq) for seq in range(2, 30)), envelope("stop", seq=30, written=28, lost=0)]


class Log:
    """A log of `envelopes`, and archives of its ranges."""

    def __init__(self, envelopes, *, key=LOG_KEY):
        self.envelopes = list(envelopes)
        self.leaves = [leaf_hash(each) for each in self.envelopes]
        self.key = key
        self.tiles = naive_tree.KeptTiles()
        for update in append(Frontier(), self.leaves).updates:
            self.tiles.put(update)

    def note(self, size, *, key=None):
        root = Frontier().append(self.leaves[:size]).root()
        key = key or self.key
        return sign_checkpoint(Checkpoint(key.name, size, root), key, at_s=int(AT.timestamp()))

    def head(self, first=0, end=None, size=None, *, earlier=(), note=None, others=()):
        size = len(self.leaves) if size is None else size
        proofs = [
            EarlierCheckpoint(note=self.note(at).to_bytes(), proof=consistency_proof(self.tiles, first=at, second=size))
            for at in earlier
        ]
        return ArchiveHead(
            tenant="acme",
            origin=self.key.name,
            made_at=AT,
            checkpoint=note or self.note(size).to_bytes(),
            range_proof=range_proof(self.tiles, first=first, end=size if end is None else end, size=size),
            keys=[self.key.verifier],
            earlier=proofs,
            others=dict(others),
        )

    def entries(self, first=0, end=None, *, without=()):
        for index in range(first, len(self.leaves) if end is None else end):
            kept = None if index in without else self.envelopes[index]
            yield ArchivedEntry(index=index, leaf_hash=self.leaves[index], envelope=kept)

    def files(self, first=0, end=None, size=None, *, without=(), **head) -> dict[str, bytes]:
        end = (len(self.leaves) if size is None else size) if end is None else end
        written = archive_files(self.head(first, end, size, **head), self.entries(first, end, without=without))
        return {name: b"".join(pieces) for name, pieces in written}


def written_to(path, files: dict[str, bytes]):
    with path.open("wb") as file:
        write_zip(file, ((name, iter([content])) for name, content in files.items()))
    return path


def with_digests(files: dict[str, bytes]) -> dict[str, bytes]:
    """Return `files` with a manifest that names them as they are now: what a forger would do too."""
    import hashlib

    manifest = json.loads(files["manifest.json"])
    others = {name: content for name, content in files.items() if name != "manifest.json"}
    manifest["files"] = {name: "sha256:" + hashlib.sha256(content).hexdigest() for name, content in others.items()}
    return {**others, "manifest.json": json.dumps(manifest).encode()}
