# SPDX-License-Identifier: Apache-2.0
"""Judge an archive offline: integrity, then completeness, in one pass over its entries (`docs/spec/log.md`).

Rules: whatever stands in the archive is data of somebody who may lie; nothing in it ends the verifier but by
ArchiveUnreadable, where there is no archive at all. Memory does not grow with the entries: a piece of 1 MiB, 4,096
hashes, the state of completeness. The work is bounded by the archive's size, whatever its numbers claim.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from itertools import count, takewhile
from typing import Final

from controlplane.audit.archive import CHECKPOINT, MANIFEST, RANGE_PROOF, earlier_name, entries_name, key_name
from controlplane.audit.archive_entries import EntriesPass, TooManyProblems
from controlplane.audit.archive_files import Archive, ArchiveUnreadable
from controlplane.audit.archive_reading import (
    MAX_EARLIER_BYTES,
    MAX_MANIFEST_BYTES,
    MAX_PROOF_BYTES,
    Manifest,
    PartMalformed,
    lines_of,
    parse_earlier,
    parse_manifest,
    parse_range_proof,
)
from controlplane.audit.archive_report import ArchiveReport, Problems
from controlplane.audit.checkpoints import SignedCheckpoint, open_checkpoint
from controlplane.audit.completeness import Completeness
from controlplane.audit.note_keys import KeyKind, KeyMalformed, VerifierKey
from controlplane.audit.notes import MAX_NOTE_BYTES, NoteMalformed, NoteNotSigned
from controlplane.audit.proofs import RangeProof
from controlplane.audit.verification import ProofInvalid, end_of_range, start_of_range, verify_consistency

_MAX_KEYS: Final = 100
_MAX_KEY_BYTES: Final = 2048

Progress = Callable[[int], None]
"""Called with the number of bytes of entries that were read since it was last called."""


def verify_archive(
    archive: Archive,
    *,
    keys: Sequence[VerifierKey] = (),
    kept: Sequence[tuple[str, bytes]] = (),
    progress: Progress = lambda read: None,  # noqa: ARG005 # the signature is the type's
) -> ArchiveReport:
    """Return what is to be said of `archive`. Raises ArchiveUnreadable where it is no archive of a log.

    `keys` are those that the verifier trusts: the log's, and of witnesses that must have cosigned. Without any, those
    in the archive are taken, which shows that it is consistent in itself and not who made it. `kept` are checkpoints
    that the verifier has from elsewhere, each with what to call it.
    """
    try:
        manifest = parse_manifest(archive.read(MANIFEST, MAX_MANIFEST_BYTES))
    except (PartMalformed, KeyError) as exc:
        msg = f"{MANIFEST} is not the manifest of an archive: {exc}"
        raise ArchiveUnreadable(msg) from exc
    return _Verifier(archive, manifest, keys).verify(kept, progress)


class _Verifier:
    def __init__(self, archive: Archive, manifest: Manifest, keys: Sequence[VerifierKey]) -> None:
        self._archive = archive
        self._manifest = manifest
        self._problems = Problems()
        self._incomplete = Problems()
        self._unread = {*archive.sizes, *manifest.digests} - {MANIFEST}
        self._given = bool(keys)
        keys = keys or self._own_keys()
        self._logs = [key for key in keys if key.kind is KeyKind.NOTE]
        self._witnesses = [key for key in keys if key.kind is KeyKind.COSIGNATURE]

    def verify(self, kept: Sequence[tuple[str, bytes]], progress: Progress) -> ArchiveReport:
        signed = self._opened(CHECKPOINT, self._read(CHECKPOINT, MAX_NOTE_BYTES))
        proof = self._range_proof(signed)
        opened = [(name, found) for name, data in kept if (found := self._opened(name, data)) is not None]
        earlier = list(self._earlier())
        completeness = Completeness(
            from_first=self._manifest.first == 0, to_last=self._manifest.end == self._manifest.size
        )
        entries = EntriesPass(
            first=self._manifest.first,
            end=self._manifest.end,
            start=None if proof is None else start_of_range(proof),
            wanted=[found.checkpoint.size for found in [each[1] for each in opened] + [each[1] for each in earlier]],
            problems=self._problems,
            completeness=completeness,
        )
        self._read_entries(entries, progress)
        self._compare_root(entries, signed, proof)
        for name, older, hashes in earlier:
            self._compare(name, older, signed, entries, hashes)
        for name, own in opened:
            self._compare_kept(name, own, signed, entries, earlier)
        self._read_others()
        return ArchiveReport(
            manifest=self._manifest,
            trust="given" if self._given else "archive",
            signed_at_s=None if signed is None else signed.at_s,
            log_keys=[str(key) for key in self._logs],
            witnesses=[] if signed is None else sorted({each.key.name for each in signed.witnesses}),
            checkpoints=sum(found is not None for found in (signed, *opened, *earlier)),
            entries=entries.count,
            dropped=entries.dropped,
            altered=entries.altered,
            integrity=self._problems,
            incomplete=self._incomplete,
            completeness=completeness.report(),
        )

    def _own_keys(self) -> list[VerifierKey]:
        keys = []
        for name in self._numbered(key_name):
            try:
                keys.append(VerifierKey.parse((self._read(name, _MAX_KEY_BYTES) or b"").decode().removesuffix("\n")))
            except (KeyMalformed, UnicodeDecodeError) as exc:
                self._problems.add(f"{name} is no key: {exc}")
            if len(keys) == _MAX_KEYS:
                break
        return keys

    def _numbered(self, name: Callable[[int], str]) -> Iterator[str]:
        return takewhile(self._archive.sizes.__contains__, map(name, count()))

    def _opened(self, name: str, data: bytes | None) -> SignedCheckpoint | None:
        """Return the checkpoint in `data`, signed by the log and by every witness that was given."""
        if data is None:
            return None
        try:
            signed = open_checkpoint(data, self._logs, self._witnesses)
        except (NoteMalformed, NoteNotSigned) as exc:
            self._problems.add(f"{name} is not signed by the log: {exc}")
            return None
        if signed.checkpoint.origin != self._manifest.origin:
            self._problems.add(f"{name} is of another log")
            return None
        return signed

    def _range_proof(self, signed: SignedCheckpoint | None) -> RangeProof | None:
        """Return the range proof, where it is one of the manifest's range in the checkpoint's tree."""
        data = self._read(RANGE_PROOF, MAX_PROOF_BYTES)
        if data is None:
            return None
        try:
            proof = parse_range_proof(data)
            start_of_range(proof)
        except (PartMalformed, ProofInvalid) as exc:
            self._problems.add(f"{RANGE_PROOF} is not a proof: {exc}")
            return None
        said = (self._manifest.first, self._manifest.end, self._manifest.size)
        if (proof.first, proof.end, proof.size) != said:
            self._problems.add(f"{RANGE_PROOF} is of another range than the manifest")
            return None
        if signed is not None:
            self._require_witnesses(signed)
            if signed.checkpoint.size != proof.size:
                self._problems.add(f"the checkpoint is of {signed.checkpoint.size} entries, the proof of {proof.size}")
                return None
        return proof

    def _require_witnesses(self, signed: SignedCheckpoint) -> None:
        cosigned = {each.key for each in signed.verified}
        for key in self._witnesses if self._given else ():
            if key not in cosigned:
                self._problems.add(f"{key.name} has not cosigned the checkpoint")

    def _read_entries(self, entries: EntriesPass, progress: Progress) -> None:
        try:
            for name in self._numbered(entries_name):
                for line in lines_of(self._digested(name, progress)):
                    entries.take(line)
        except (PartMalformed, ArchiveUnreadable) as exc:
            entries.whole = False
            self._problems.add(f"the entries cannot be read on: {exc}")
        except TooManyProblems:
            self._problems.add("there are too many problems to read on")

    def _compare_root(self, entries: EntriesPass, signed: SignedCheckpoint | None, proof: RangeProof | None) -> None:
        frontier = entries.finish()
        if signed is None or proof is None:
            self._problems.add("nothing signed tells what the entries must be")
        elif frontier is not None:
            try:
                root = end_of_range(proof, frontier)
            except ProofInvalid as exc:
                self._problems.add(f"{RANGE_PROOF} is not a proof: {exc}")
                return
            if root != signed.checkpoint.root:
                self._problems.add("the entries are not those that the log signed: they lead to another root")

    def _earlier(self) -> Iterator[tuple[str, SignedCheckpoint, tuple[bytes, ...]]]:
        for name in self._numbered(earlier_name):
            data = self._read(name, MAX_EARLIER_BYTES)
            try:
                note, hashes = parse_earlier(data or b"")
            except PartMalformed as exc:
                self._problems.add(f"{name} is no checkpoint: {exc}")
                continue
            signed = self._opened(name, note)
            if signed is not None:
                yield name, signed, hashes

    def _compare(
        self,
        name: str,
        older: SignedCheckpoint,
        signed: SignedCheckpoint | None,
        entries: EntriesPass,
        hashes: Sequence[bytes],
    ) -> None:
        """Note where `older` is not the beginning of the log that `signed` is of."""
        if signed is None:
            return
        try:
            verify_consistency(
                hashes,
                first=older.checkpoint.size,
                second=signed.checkpoint.size,
                first_root=older.checkpoint.root,
                second_root=signed.checkpoint.root,
            )
        except ProofInvalid as exc:
            self._problems.add(f"{name} is not consistent with the checkpoint: {exc}")
        if entries.roots.get(older.checkpoint.size, older.checkpoint.root) != older.checkpoint.root:
            self._problems.add(f"{name} is of other entries than those of the archive")

    def _compare_kept(
        self,
        name: str,
        own: SignedCheckpoint,
        signed: SignedCheckpoint | None,
        entries: EntriesPass,
        earlier: Sequence[tuple[str, SignedCheckpoint, tuple[bytes, ...]]],
    ) -> None:
        """Note where a checkpoint that the verifier has does not lead to the archive's."""
        if signed is None:
            return
        at = own.checkpoint
        if at.size > signed.checkpoint.size:
            text = (
                f"the archive ends at a log of {signed.checkpoint.size} entries, and {name} shows that it had {at.size}"
            )
            self._incomplete.add(text)
        elif at.size == signed.checkpoint.size:
            if at.root != signed.checkpoint.root:
                self._problems.add(f"{name} is of another log of the same size: the log signed two histories")
        elif at.size in entries.roots:
            if at.root != entries.roots[at.size]:
                self._problems.add(f"{name} is of other entries than those of the archive")
        else:
            proved = [older.checkpoint.root for _, older, _ in earlier if older.checkpoint.size == at.size]
            if at.size and not proved:
                self._incomplete.add(f"nothing in the archive leads from {name} ({at.size} entries) to its checkpoint")
            elif proved and at.root not in proved:
                self._problems.add(f"{name} contradicts an earlier checkpoint of the archive")

    def _read_others(self) -> None:
        """Compare what has not been read yet with the manifest, and name what is missing or was added."""
        for name in sorted(self._unread):
            try:
                for _ in self._digested(name):
                    pass
            except ArchiveUnreadable as exc:
                self._problems.add(str(exc))

    def _read(self, name: str, most: int) -> bytes | None:
        if self._archive.sizes.get(name, most + 1) > most:
            self._unread.discard(name)
            self._problems.add(f"{name} is missing or has more than {most} bytes")
            return None
        try:
            return b"".join(self._digested(name))
        except ArchiveUnreadable as exc:
            self._problems.add(str(exc))
            return None

    def _digested(self, name: str, progress: Progress = lambda read: None) -> Iterator[bytes]:  # noqa: ARG005 # as above
        """Yield a file's pieces; at its end, note where it is not what the manifest says."""
        self._unread.discard(name)
        if name not in self._archive.sizes:
            self._problems.add(f"{name} is missing")
            return
        seen = hashlib.sha256()
        for piece in self._archive.pieces(name):
            seen.update(piece)
            progress(len(piece))
            yield piece
        stated = self._manifest.digests.get(name)
        if stated is None:
            self._problems.add(f"{name} is not in the manifest")
        elif stated != "sha256:" + seen.hexdigest():
            self._problems.add(f"{name} is not the file that the manifest names")
