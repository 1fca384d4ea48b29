# SPDX-License-Identifier: Apache-2.0
"""What an auditor's machine remembers of a log: its key, and the last checkpoint that it saw.

Rules: nothing that a server says is believed before the log's key has signed it, and every checkpoint must contain
everything that the one before had, also where weeks are between them.
"""

import hashlib
import os
from base64 import b64decode
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from controlplane.audit.checkpoints import Checkpoint, SignedCheckpoint, open_checkpoint
from controlplane.audit.note_keys import KeyMalformed, VerifierKey
from controlplane.audit.notes import NoteMalformed, NoteNotSigned, parse_note
from controlplane.audit.verification import ProofInvalid, verify_consistency
from controlplane.cli.shared import home
from controlplane.client import ApiClient
from controlplane.local.home import write_private
from controlplane.services.log_key import LogKey
from controlplane.services.model import DEFAULT_TENANT


class NotProved(click.ClickException):
    """What the server says does not hold. Exit code 1, with what differs."""


@dataclass(frozen=True, slots=True)
class Known:
    """A checkpoint that the log's key signed, and that of the last time; None the first time."""

    signed: SignedCheckpoint
    before: Checkpoint | None
    file: Path

    @property
    def now(self) -> Checkpoint:
        return self.signed.checkpoint


def own_key(tenant: str = DEFAULT_TENANT) -> str | None:
    """Return the verifier's key of the log whose key this home has; None where it has none."""
    try:
        text = home().log_key.read_text()
    except OSError:
        return None
    try:
        return LogKey.parse(text, name=os.environ.get("GATEHOUSE_LOG_NAME") or None).vkey(tenant)
    except KeyMalformed as exc:
        raise click.ClickException(f"{home().log_key} holds no key of a log: {exc}") from exc


def newest(client: ApiClient, vkey: str | None) -> Known:
    """Return the server's newest checkpoint, verified, and remember it. Raises NotProved."""
    note = str(client.get("/v1/audit/checkpoint").body["note"]).encode()
    key = _key(vkey, note)
    signed = _opened(note, key)
    name = hashlib.sha256(signed.checkpoint.origin.encode()).hexdigest()[:16]
    file = home().root / "audit" / f"{name}.checkpoint"
    before = _remembered(file, key)
    if before is not None:
        _require_growth(client, before, signed.checkpoint)
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_private(file, note)
    return Known(signed, before, file)


def decoded(hashes: Sequence[str]) -> tuple[bytes, ...]:
    """Return hashes of the API's JSON. Raises NotProved."""
    try:
        return tuple(b64decode(each, validate=True) for each in hashes)
    except (ValueError, TypeError) as exc:
        raise NotProved("the server's proof is not made of hashes") from exc


def _key(vkey: str | None, note: bytes) -> VerifierKey:
    try:
        origin = parse_note(note).text.decode().partition("\n")[0]
        given = vkey or own_key(origin.rpartition("/")[2])
        if given is None:
            raise click.UsageError(
                f"this machine has no key of the log {origin}: give it with --vkey, as the operator published it"
            )
        return VerifierKey.parse(given)
    except (NoteMalformed, KeyMalformed) as exc:
        raise NotProved(f"the checkpoint or the key cannot be read: {exc}") from exc


def _opened(note: bytes, key: VerifierKey) -> SignedCheckpoint:
    try:
        return open_checkpoint(note, [key])
    except (NoteMalformed, NoteNotSigned) as exc:
        raise NotProved(f"the checkpoint is not the log's: {exc}") from exc


def _remembered(file: Path, key: VerifierKey) -> Checkpoint | None:
    try:
        note = file.read_bytes()
    except FileNotFoundError:
        return None
    return _opened(note, key).checkpoint


def _require_growth(client: ApiClient, before: Checkpoint, now: Checkpoint) -> None:
    if now.size < before.size:
        raise NotProved(f"the log had {before.size} entries and now has {now.size}: entries were cut off")
    query = {"first": before.size, "second": now.size}
    proof = client.get("/v1/audit/proofs/consistency", query).body
    try:
        verify_consistency(
            decoded(proof["hashes"]),
            first=before.size,
            second=now.size,
            first_root=before.root,
            second_root=now.root,
        )
    except ProofInvalid as exc:
        raise NotProved(f"the log of {before.size} entries is not the beginning of this one: {exc}") from exc
