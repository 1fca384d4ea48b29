# SPDX-License-Identifier: Apache-2.0
"""Signed notes (C2SP signed-note): a text, a blank line, and a line for each key that signed it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import InvalidSignature

from controlplane.audit.note_keys import ID_BYTES, SignerKey, VerifierKey, is_key_name
from controlplane.audit.strict_text import from_base64, to_base64

# Sixteen signatures must be taken, and one that withstands quantum computers has nearly 5 kB.
MAX_NOTE_BYTES: Final = 128 * 1024
MAX_SIGNATURES: Final = 100
_PREFIX: Final = "— "


class NoteMalformed(ValueError):
    """The bytes are no signed note."""


class NoteNotSigned(Exception):
    """It is a note, and none of the known keys signed it, or something else stands where one of them would have."""


@dataclass(frozen=True, slots=True)
class SignatureLine:
    """One signature as it stands in a note."""

    name: str
    key_id: bytes
    signature: bytes

    def __str__(self) -> str:
        return f"{_PREFIX}{self.name} {to_base64(self.key_id + self.signature)}\n"


@dataclass(frozen=True, slots=True)
class Note:
    """A note that was read and not yet believed. `text` ends in a newline."""

    text: bytes
    signatures: tuple[SignatureLine, ...]

    def to_bytes(self) -> bytes:
        """Return the note as it is sent and stored."""
        return self.text + b"\n" + "".join(map(str, self.signatures)).encode()

    def with_signatures(self, lines: Iterable[SignatureLine]) -> "Note":
        """Return the note with `lines` behind those it has, a key's new line in the place of its old one."""
        added = {(line.name, line.key_id): line for line in lines}
        had = [line for line in self.signatures if (line.name, line.key_id) not in added]
        return Note(self.text, (*had, *added.values()))


@dataclass(frozen=True, slots=True)
class Verified:
    """A known key's signature that holds; `at_s` is the time it states, where it states one."""

    key: VerifierKey
    at_s: int | None


def parse_note(data: bytes) -> Note:
    """Return the note that `data` writes, or raise NoteMalformed."""
    if len(data) > MAX_NOTE_BYTES:
        raise NoteMalformed(f"a note has at most {MAX_NOTE_BYTES} bytes")
    try:
        text = data.decode()
    except UnicodeDecodeError as exc:
        raise NoteMalformed("a note is UTF-8") from exc
    if any(letter < " " and letter != "\n" for letter in text):
        raise NoteMalformed("a note has no control characters")
    body, blank, signatures = text.rpartition("\n\n")
    if not blank or not signatures:
        raise NoteMalformed("a note has a blank line, and signatures behind it")
    return Note(f"{body}\n".encode(), parse_signature_lines(signatures))


def parse_signature_lines(text: str) -> tuple[SignatureLine, ...]:
    """Return the signature lines that `text` consists of, or raise NoteMalformed."""
    *lines, rest = text.split("\n")
    if rest or not lines:
        raise NoteMalformed("signature lines end in a newline")
    if len(lines) > MAX_SIGNATURES:
        raise NoteMalformed(f"a note has at most {MAX_SIGNATURES} signatures")
    return tuple(map(_signature_line, lines))


def _signature_line(line: str) -> SignatureLine:
    name, _, encoded = line.removeprefix(_PREFIX).partition(" ")
    if not line.startswith(_PREFIX) or not is_key_name(name):
        raise NoteMalformed("a signature line is an em dash, a space, a name, a space and base64")
    try:
        data = from_base64(encoded)
    except ValueError as exc:
        raise NoteMalformed(f"the signature of {name} is {exc}") from exc
    if len(data) <= ID_BYTES:
        raise NoteMalformed(f"the signature of {name} is too short")
    return SignatureLine(name, data[:ID_BYTES], data[ID_BYTES:])


def verify_note(note: Note, known: Sequence[VerifierKey]) -> tuple[Verified, ...]:
    """Return the signatures of `known` keys, each checked. Others are ignored.

    Raises NoteNotSigned where none is there, or where a line of a known key does not hold.
    """
    keys = {(key.name, key.id): key for key in known}
    verified: list[Verified] = []
    for line in note.signatures:
        key = keys.get((line.name, line.key_id))
        if key is None:
            continue
        try:
            verified.append(Verified(key, key.verify(note.text, line.signature)))
        except InvalidSignature as exc:
            raise NoteNotSigned(f"the signature of {line.name}+{line.key_id.hex()} does not hold") from exc
    if not verified:
        raise NoteNotSigned("no known key signed it")
    return tuple(verified)


def signature_of(key: SignerKey, text: bytes, *, at_s: int) -> SignatureLine:
    """Return the line by which `key` signs `text`."""
    return SignatureLine(key.name, key.verifier.id, key.sign(text, at_s=at_s))
