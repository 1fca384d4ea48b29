# SPDX-License-Identifier: Apache-2.0
"""Keys of signed notes (C2SP signed-note): Ed25519, written as Go's sumdb/note writes them.

A key signs in one of two ways: NOTE signs the text, COSIGNATURE signs the text and the time. One pair of keys may do
both, since no checkpoint's second line is the one that says `time`; the ids differ.
"""

import hashlib
import re
import secrets
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final, Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from controlplane.audit.strict_text import from_base64, to_base64

ID_BYTES: Final = 4
_KEY_BYTES: Final = 32
_TIME_BYTES: Final = 8
_SIGNATURE_BYTES: Final = 64
_PRIVATE: Final = "PRIVATE+KEY+"
_LONGEST_KEY: Final = 1024
_HEX_ID: Final = re.compile(r"[0-9a-f]{8}", re.ASCII)


class KeyMalformed(ValueError):
    """The text is not a key that this verifier knows how to use."""


class KeyKind(IntEnum):
    """What a key signs: the byte that enters its id."""

    NOTE = 0x01
    COSIGNATURE = 0x04


def is_key_name(name: str) -> bool:
    """Tell whether a signature line can name a key so."""
    printable = all(letter >= " " and not letter.isspace() for letter in name)
    return bool(name) and printable and "+" not in name and _is_encodable(name)


def _is_encodable(text: str) -> bool:
    return not any("\ud800" <= letter <= "\udfff" for letter in text)


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A public key and whose it is. `str` gives the vkey."""

    name: str
    kind: KeyKind
    public: bytes

    @classmethod
    def parse(cls, vkey: str) -> Self:
        """Return the key that `vkey` writes, or raise KeyMalformed."""
        name, kind, public, key_id = _parsed(vkey)
        key = cls(name, kind, public)
        if key.id.hex() != key_id:
            raise KeyMalformed("the id in the key is not its own: a letter was lost or changed")
        return key

    @property
    def id(self) -> bytes:
        """The four bytes that tell signature lines of one name apart."""
        return hashlib.sha256(self.name.encode() + b"\n" + bytes([self.kind]) + self.public).digest()[:ID_BYTES]

    def cosigner(self) -> "VerifierKey":
        """Return the same public key as one that signs with the time."""
        return VerifierKey(self.name, KeyKind.COSIGNATURE, self.public)

    def verify(self, text: bytes, signature: bytes) -> int | None:
        """Return the time that a cosignature states, in seconds since 1970; None for a plain signature.

        Raises InvalidSignature of `cryptography` where this key did not sign `text`.
        """
        at_s = None
        if self.kind is KeyKind.COSIGNATURE:
            at_s = int.from_bytes(signature[:_TIME_BYTES], "big")
            text, signature = _timed(text, at_s), signature[_TIME_BYTES:]
            if at_s >= 1 << 63:
                raise InvalidSignature
        if len(signature) != _SIGNATURE_BYTES:
            raise InvalidSignature
        Ed25519PublicKey.from_public_bytes(self.public).verify(signature, text)
        return at_s

    def __str__(self) -> str:
        return f"{self.name}+{self.id.hex()}+{to_base64(bytes([self.kind]) + self.public)}"


@dataclass(frozen=True, slots=True)
class SignerKey:
    """A private key and whose it is. What prints it prints no secret; `to_text` is what goes into its file."""

    name: str
    kind: KeyKind
    seed: bytes = field(repr=False)

    @classmethod
    def generate(cls, name: str, kind: KeyKind = KeyKind.NOTE) -> Self:
        """Return a new key. Raises KeyMalformed where `name` cannot stand in a signature line."""
        if not is_key_name(name):
            raise KeyMalformed("a key's name has no spaces, no plus sign and no control characters, and is not empty")
        return cls(name, kind, secrets.token_bytes(_KEY_BYTES))

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the key of a key file's one line, or raise KeyMalformed, which never quotes it."""
        line = text.removesuffix("\n")
        if not line.startswith(_PRIVATE):
            raise KeyMalformed(f"a signer's key begins with {_PRIVATE}")
        name, kind, seed, key_id = _parsed(line.removeprefix(_PRIVATE))
        key = cls(name, kind, seed)
        if key.verifier.id.hex() != key_id:
            raise KeyMalformed("the id in the key is not its own: a letter was lost or changed")
        return key

    @property
    def verifier(self) -> VerifierKey:
        """The public half."""
        public = Ed25519PrivateKey.from_private_bytes(self.seed).public_key().public_bytes_raw()
        return VerifierKey(self.name, self.kind, public)

    def cosigner(self) -> "SignerKey":
        """Return the same private key as one that signs with the time."""
        return SignerKey(self.name, KeyKind.COSIGNATURE, self.seed)

    def sign(self, text: bytes, *, at_s: int) -> bytes:
        """Return the signature over `text`; `at_s` (seconds since 1970) stands in it where the key cosigns."""
        private = Ed25519PrivateKey.from_private_bytes(self.seed)
        if self.kind is KeyKind.COSIGNATURE:
            return at_s.to_bytes(_TIME_BYTES, "big") + private.sign(_timed(text, at_s))
        return private.sign(text)

    def to_text(self) -> str:
        """Return the line of the key's file: a secret."""
        return f"{_PRIVATE}{self.name}+{self.verifier.id.hex()}+{to_base64(bytes([self.kind]) + self.seed)}"


def _timed(text: bytes, at_s: int) -> bytes:
    return b"cosignature/v1\ntime %d\n" % at_s + text


def _parsed(text: str) -> tuple[str, KeyKind, bytes, str]:
    if len(text) > _LONGEST_KEY:
        raise KeyMalformed(f"no key is longer than {_LONGEST_KEY} characters")
    name, _, rest = text.partition("+")
    key_id, _, encoded = rest.partition("+")
    try:
        material = from_base64(encoded)
    except ValueError as exc:
        raise KeyMalformed("a key is NAME+ID+BASE64: its last part is not base64") from exc
    if not is_key_name(name) or _HEX_ID.fullmatch(key_id) is None:
        raise KeyMalformed("a key is NAME+ID+BASE64, the id eight digits of 0-9 and a-f")
    if not material or material[0] not in tuple(KeyKind):
        raise KeyMalformed("only Ed25519 keys (type 1) and Ed25519 cosigners' keys (type 4) are known")
    if len(material) != 1 + _KEY_BYTES:
        raise KeyMalformed(f"an Ed25519 key has {_KEY_BYTES} bytes")
    return name, KeyKind(material[0]), material[1:], key_id
