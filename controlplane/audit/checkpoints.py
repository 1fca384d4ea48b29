# SPDX-License-Identifier: Apache-2.0
"""Checkpoints (C2SP tlog-checkpoint): a log's origin, size and root in a signed note.

To sign two checkpoints of which one is not the beginning of the other is the one act that nothing mends. Whoever calls
`sign_checkpoint` MUST have compared the tree with the last checkpoint that was signed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

from controlplane.audit.note_keys import KeyKind, SignerKey, VerifierKey
from controlplane.audit.notes import (
    Note,
    NoteMalformed,
    NoteNotSigned,
    SignatureLine,
    Verified,
    parse_note,
    signature_of,
    verify_note,
)
from controlplane.audit.strict_text import decimal, hash_from_base64, to_base64

_LINES: Final = 3


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a checkpoint states of the log that its origin names. `extensions` are lines that only others write."""

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    @classmethod
    def parse(cls, text: bytes) -> Self:
        """Return what a note's text states, or raise NoteMalformed."""
        lines = text.decode().removesuffix("\n").split("\n")
        if len(lines) < _LINES or not all(lines):
            raise NoteMalformed("a checkpoint has three lines: origin, size and root")
        try:
            return cls(lines[0], decimal(lines[1]), hash_from_base64(lines[2]), tuple(lines[_LINES:]))
        except ValueError as exc:
            raise NoteMalformed(f"the checkpoint's size or root is {exc}") from exc

    def to_text(self) -> bytes:
        """Return the lines that are signed."""
        return "".join(
            f"{line}\n" for line in (self.origin, self.size, to_base64(self.root), *self.extensions)
        ).encode()


@dataclass(frozen=True, slots=True)
class SignedCheckpoint:
    """A checkpoint that a known key of its log signed, with every signature of a known key."""

    checkpoint: Checkpoint
    note: Note
    verified: tuple[Verified, ...]

    @property
    def at_s(self) -> int | None:
        """The latest time at which the log itself says that this was its latest; None where it says none."""
        own = [each.at_s for each in self.verified if each.key.name == self.checkpoint.origin and each.at_s is not None]
        return max(own, default=None)

    @property
    def witnesses(self) -> tuple[Verified, ...]:
        """The cosignatures of others than the log."""
        return tuple(each for each in self.verified if each.key.name != self.checkpoint.origin)


def sign_checkpoint(checkpoint: Checkpoint, key: SignerKey, *, at_s: int) -> Note:
    """Return the note in which `key` signs `checkpoint` twice: plainly, and with the time as a cosignature.

    Raises ValueError unless the key is the log's own: its name is the origin.
    """
    if key.name != checkpoint.origin or key.kind is not KeyKind.NOTE:
        msg = f"the key of {key.name} does not sign for {checkpoint.origin}"
        raise ValueError(msg)
    text = checkpoint.to_text()
    lines = (signature_of(key, text, at_s=at_s), signature_of(key.cosigner(), text, at_s=at_s))
    return Note(text, lines)


def cosign(note: Note, key: SignerKey, *, at_s: int) -> SignatureLine:
    """Return the line by which a witness states that it saw `note`'s checkpoint at `at_s` and nothing that differs."""
    if key.kind is not KeyKind.COSIGNATURE:
        msg = f"the key of {key.name} is not a cosigner's"
        raise ValueError(msg)
    return signature_of(key, note.text, at_s=at_s)


def open_checkpoint(
    data: bytes, logs: Sequence[VerifierKey], witnesses: Sequence[VerifierKey] = ()
) -> SignedCheckpoint:
    """Return the checkpoint in `data`, signed by one of `logs` whose name is its origin.

    Raises NoteMalformed where it is none, NoteNotSigned where no key of that origin signed it, or where a known key's
    line does not hold.
    """
    note = parse_note(data)
    checkpoint = Checkpoint.parse(note.text)
    own = [key for key in logs if key.name == checkpoint.origin and key.kind is KeyKind.NOTE]
    if not own:
        raise NoteNotSigned("none of the known keys is of the log that the checkpoint names")
    verified = verify_note(note, [*own, *(key.cosigner() for key in own), *witnesses])
    if not any(each.key in own for each in verified):
        raise NoteNotSigned("the log itself did not sign it")
    return SignedCheckpoint(checkpoint, note, verified)
