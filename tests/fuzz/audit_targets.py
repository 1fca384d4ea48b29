# SPDX-License-Identifier: Apache-2.0
"""What an auditor is handed: archives, notes, keys, and what a witness is sent. Refused, or exactly what was signed."""

import contextlib
import hashlib
import io
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

from controlplane.audit.archive_files import Archive, ArchiveUnreadable, open_archive, write_zip
from controlplane.audit.archive_report import Judgement
from controlplane.audit.archive_verifier import verify_archive
from controlplane.audit.checkpoints import open_checkpoint
from controlplane.audit.note_keys import KeyKind, KeyMalformed, SignerKey, VerifierKey
from controlplane.audit.notes import NoteMalformed, NoteNotSigned
from controlplane.audit.proof_texts import AddCheckpoint, ProofTextMalformed, TlogProof
from controlplane.audit.proofs import inclusion_proof
from controlplane.audit.witness import Witness
from tests.unit.controlplane.audit.archives import LOG_KEY, ORDERLY, Log, dropped, gap

_LOG: Final = Log([*ORDERLY, gap(1, 3, boot="b0"), dropped(4, 6)])
_FILES: Final = _LOG.files(earlier=(7,), without=(4, 5))
_ENTRIES: Final = [json.loads(line) for line in _FILES["entries-00000.ndjson"].splitlines()]
_NOTE: Final = _LOG.note(len(_LOG.leaves))
_WITNESS: Final = SignerKey("witness.example/w1", KeyKind.COSIGNATURE, b"w" * 32)
_REQUEST: Final = AddCheckpoint(old_size=0, proof=(), checkpoint=_NOTE.to_bytes())
_PROOF: Final = TlogProof(
    index=3, hashes=inclusion_proof(_LOG.tiles, index=3, size=7), checkpoint=_LOG.note(7).to_bytes(), extra=b"x"
)


def archive_zip(data: bytes) -> None:
    """The bytes of a zip."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        with contextlib.suppress(ArchiveUnreadable), open_archive(Path(file.name)) as archive:
            _judge(archive)


def archive_file(name: str) -> Callable[[bytes], None]:
    """One file of an archive, the manifest naming it as it is: only a signature can tell."""

    def target(data: bytes) -> None:
        files = {**_FILES, name: data}
        if name != "manifest.json":
            manifest = json.loads(files["manifest.json"])
            manifest["files"][name] = "sha256:" + hashlib.sha256(data).hexdigest()
            files["manifest.json"] = json.dumps(manifest).encode()
        with contextlib.suppress(ArchiveUnreadable):
            sizes = {each: len(content) for each, content in files.items()}
            _judge(Archive(sizes, lambda each: io.BytesIO(files[each])))

    return target


def _judge(archive: Archive) -> None:
    report = verify_archive(archive, keys=[LOG_KEY.verifier])
    assert json.dumps(report.to_json())
    if report.integrity_verdict is Judgement.HOLDS:
        content = b"".join(archive.pieces("entries-00000.ndjson"))
        read = [json.loads(line) for line in content.splitlines()]
        assert [each.get("envelope") for each in read] == [each.get("envelope") for each in _ENTRIES], "altered"


def note(data: bytes) -> None:
    """A signed note: what is believed is what was signed."""
    with contextlib.suppress(NoteMalformed, NoteNotSigned):
        opened = open_checkpoint(data, [LOG_KEY.verifier])
        assert opened.note.text == _NOTE.text, "another text"


def key(data: bytes) -> None:
    """A verifier's key has one form."""
    text = data.decode("utf-8", "replace")
    with contextlib.suppress(KeyMalformed):
        assert str(VerifierKey.parse(text)) == text, "reads otherwise"


def tlog_proof(data: bytes) -> None:
    """A proof as text, and a request to a witness, each read as it would be written."""
    for form in (TlogProof, AddCheckpoint):
        with contextlib.suppress(ProofTextMalformed):
            assert form.parse(data).to_text() == data, "reads otherwise"


def witness_request(data: bytes) -> None:
    """A request to a witness: it cosigns the checkpoint that the log signed, and nothing else."""

    class Forgetful:
        kept: bytes | None = None

        def last(self, _origin: str) -> None:
            return None

        def keep(self, note: bytes, signed: object) -> None:
            self.kept = note

        def keep_contradiction(self, _origin: str, _note: bytes) -> None:
            raise AssertionError("it has seen nothing that could be contradicted")

    state = Forgetful()
    answer = Witness(_WITNESS, [LOG_KEY.verifier], state, lambda: 1.0).add_checkpoint(data)
    assert (answer.status == 200) == (state.kept is not None)
    if state.kept is not None:
        opened = open_checkpoint(state.kept, [LOG_KEY.verifier], [_WITNESS.verifier])
        assert (opened.note.text, len(opened.witnesses)) == (_NOTE.text, 1)


def _zipped() -> bytes:
    written = io.BytesIO()
    write_zip(written, ((name, iter([content])) for name, content in _FILES.items()))
    return written.getvalue()


AUDIT_TARGETS: Final[dict[str, tuple[Callable[[bytes], None], tuple[bytes, ...]]]] = {
    "audit-zip": (archive_zip, (_zipped(),)),
    "audit-entries": (archive_file("entries-00000.ndjson"), (_FILES["entries-00000.ndjson"],)),
    "audit-manifest": (archive_file("manifest.json"), (_FILES["manifest.json"],)),
    "audit-range-proof": (archive_file("range-proof.json"), (_FILES["range-proof.json"],)),
    "audit-earlier": (archive_file("earlier/00000.json"), (_FILES["earlier/00000.json"],)),
    "audit-note": (note, (_NOTE.to_bytes(),)),
    "audit-key": (key, (str(LOG_KEY.verifier).encode(), str(_WITNESS.verifier).encode())),
    "audit-proof": (tlog_proof, (_PROOF.to_text(), _REQUEST.to_text())),
    "audit-witness": (witness_request, (_REQUEST.to_text(),)),
}
