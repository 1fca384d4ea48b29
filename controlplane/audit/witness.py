# SPDX-License-Identifier: Apache-2.0
"""A witness (C2SP tlog-witness): cosigns a log's checkpoint where it is consistent with the last one that it cosigned.

Facts: a log that shows one history to one reader and another to the next needs the witness to sign both, and it signs
one. That holds only as long as it never forgets what it signed: the state is durable before a signature leaves.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from controlplane.audit.checkpoints import SignedCheckpoint, cosign, open_checkpoint
from controlplane.audit.hashes import EMPTY_ROOT
from controlplane.audit.note_keys import KeyKind, SignerKey, VerifierKey
from controlplane.audit.notes import NoteMalformed, NoteNotSigned, parse_note
from controlplane.audit.proof_texts import AddCheckpoint, ProofTextMalformed
from controlplane.audit.verification import ProofInvalid, verify_consistency

OK: Final = 200
BAD_REQUEST: Final = 400
FORBIDDEN: Final = 403
NOT_FOUND: Final = 404
CONFLICT: Final = 409
UNPROCESSABLE: Final = 422
_TEXT: Final = "text/plain; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Answer:
    """What is answered over HTTP. A refusal's body says why, in words of ours alone."""

    status: int
    body: bytes
    content_type: str = _TEXT


class WitnessState(Protocol):
    """What the witness remembers: of each log the last checkpoint that it cosigned, with its own signature."""

    def last(self, origin: str) -> SignedCheckpoint | None: ...

    def keep(self, note: bytes, signed: SignedCheckpoint) -> None:
        """Make `note` the last of its log. MUST be durable when it returns."""

    def keep_contradiction(self, origin: str, note: bytes) -> None:
        """Keep a note that the log signed and that contradicts the last one: evidence against the log."""


class Witness:
    """Answers requests, one at a time: its caller MUST NOT call it from two threads."""

    def __init__(
        self, key: SignerKey, logs: Sequence[VerifierKey], state: WitnessState, clock: Callable[[], float]
    ) -> None:
        if key.kind is not KeyKind.COSIGNATURE:
            raise ValueError("a witness's key is a cosigner's")
        self._key = key
        self._logs = logs
        self._state = state
        self._clock = clock
        self._origins = {hashlib.sha256(log.name.encode()).hexdigest(): log.name for log in logs}

    def add_checkpoint(self, body: bytes) -> Answer:
        """Answer a request to cosign: the cosignature, or why there is none."""
        try:
            asked = AddCheckpoint.parse(body)
            origin = parse_note(asked.checkpoint).text.decode().partition("\n")[0]
        except (ProofTextMalformed, NoteMalformed) as exc:
            return _refused(BAD_REQUEST, str(exc))
        if origin not in self._origins.values():
            return _refused(NOT_FOUND, "this witness does not know the log")
        try:
            signed = open_checkpoint(asked.checkpoint, self._logs)
        except NoteMalformed as exc:
            return _refused(BAD_REQUEST, str(exc))
        except NoteNotSigned as exc:
            return _refused(FORBIDDEN, str(exc))
        return self._judge(asked, signed)

    def checkpoint(self, origin_hash: str) -> Answer:
        """Answer with the last checkpoint that was cosigned of the log of that origin's SHA-256, in hexadecimal."""
        origin = self._origins.get(origin_hash)
        last = None if origin is None else self._state.last(origin)
        if last is None:
            return _refused(NOT_FOUND, "this witness has cosigned no checkpoint of that log")
        return Answer(OK, last.note.to_bytes())

    def _judge(self, asked: AddCheckpoint, signed: SignedCheckpoint) -> Answer:
        new = signed.checkpoint
        if asked.old_size > new.size:
            return _refused(BAD_REQUEST, "the old size is larger than the checkpoint's")
        last = self._state.last(new.origin)
        size, root = (0, EMPTY_ROOT) if last is None else (last.checkpoint.size, last.checkpoint.root)
        if asked.old_size != size:
            return Answer(CONFLICT, b"%d\n" % size, "text/x.tlog.size")
        if new.size == size and new.root != root:
            if last is not None:
                self._state.keep_contradiction(new.origin, asked.checkpoint)
            return _refused(UNPROCESSABLE, f"another root of {size} entries was cosigned")
        try:
            verify_consistency(asked.proof, first=size, second=new.size, first_root=root, second_root=new.root)
        except ProofInvalid as exc:
            return _refused(UNPROCESSABLE, str(exc))
        line = cosign(signed.note, self._key, at_s=int(self._clock()))
        # Only the log's own lines go along: what others put there was not checked.
        own = [each for each in signed.note.signatures if self._is_own(signed, each.name, each.key_id)]
        note = type(signed.note)(signed.note.text, (*own, line))
        self._state.keep(note.to_bytes(), SignedCheckpoint(new, note, signed.verified))
        return Answer(OK, str(line).encode())

    def _is_own(self, signed: SignedCheckpoint, name: str, key_id: bytes) -> bool:
        return any((each.key.name, each.key.id) == (name, key_id) for each in signed.verified)


def _refused(status: int, why: str) -> Answer:
    return Answer(status, f"{why}\n".encode())
