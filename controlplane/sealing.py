# SPDX-License-Identifier: Apache-2.0
"""Seal payloads: AES-256-GCM under a random key for each tenant and day, which is kept wrapped under another key.

Facts: whoever has the database without the key file reads no payload, and a day whose key is destroyed stays unreadable
for everybody. A nonce is the record's log index (6 bytes) and 6 random bytes of the append. The index alone would do if
every append were committed and no backup ever restored; after either an index is taken again under the same key, and
one nonce for two texts would give both away.

Form of a sealed payload: 0x01, the day (proleptic ordinal, 4 bytes), the number of the day's key (2 bytes), the 6
random bytes, then ciphertext and tag. All numbers are big endian. No JSON begins with 0x01, so that what releases
before there were keys stored is told from it.
"""

import hashlib
import os
import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_VERSION: Final = 1
# How a sealed payload begins.
SEALED: Final = bytes([_VERSION])
_HEADER: Final = struct.Struct(">BIH6s")
# What of it says which key, and that it is sealed at all.
KEY_PREFIX_BYTES: Final = 7
_KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12
_ID_BYTES: Final = 8
_HEX_KEY: Final = re.compile(r"[0-9a-fA-F]{64}")


class KeyUnknown(Exception):
    """A data key is wrapped under a key that is not in the key file."""


class PayloadAltered(Exception):
    """The sealed bytes are not what was sealed at that place of the log."""


@dataclass(frozen=True, slots=True, order=True)
class KeyId:
    """Names a data key. A day has a second one once its first was destroyed while records still arrived."""

    day: date
    number: int


class KeyRing:
    """The keys that wrap data keys: the first wraps, every one unwraps, so that they can be exchanged in service."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        if not keys or any(len(key) != _KEY_BYTES for key in keys):
            raise ValueError("a key ring holds at least one key, each of 32 bytes")
        self._by_id = {_id(key): AESGCM(key) for key in keys}
        self.current = _id(keys[0])

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read one key of 64 hexadecimal digits from each line. Raises ValueError, which does not quote them."""
        lines = text.split()
        if not lines or not all(map(_HEX_KEY.fullmatch, lines)):
            raise ValueError("not 64 hexadecimal digits in each line")
        return cls([bytes.fromhex(line) for line in lines])

    @classmethod
    def random(cls) -> Self:
        """Return a ring of one key that ends with it."""
        return cls([os.urandom(_KEY_BYTES)])

    def new_key(self, tenant: str, key_id: KeyId) -> bytes:
        """Return a new data key, wrapped."""
        return self._wrap(os.urandom(_KEY_BYTES), tenant, key_id)

    def rewrap(self, wrapped: bytes, tenant: str, key_id: KeyId) -> bytes:
        """Return the same data key under the current key. Raises KeyUnknown, PayloadAltered."""
        return self._wrap(self._unwrap(wrapped, tenant, key_id), tenant, key_id)

    def data_key(self, wrapped: bytes, tenant: str, key_id: KeyId) -> "DataKey":
        """Return the data key, ready to be used. Raises KeyUnknown, PayloadAltered."""
        return DataKey(tenant, key_id, AESGCM(self._unwrap(wrapped, tenant, key_id)))

    def seal(self, content: bytes, place: bytes) -> bytes:
        """Return `content` sealed under the current key itself, for the one place that `place` names."""
        nonce = os.urandom(_NONCE_BYTES)
        return self.current + nonce + self._by_id[self.current].encrypt(nonce, content, place)

    def open(self, sealed: bytes, place: bytes) -> bytes:
        """Return what was sealed for `place`. Raises KeyUnknown, PayloadAltered."""
        wrapping, rest = wrapping_key_id(sealed), sealed[_ID_BYTES:]
        if wrapping not in self._by_id:
            raise KeyUnknown(f"it is sealed under the key {wrapping.hex()}")
        try:
            return self._by_id[wrapping].decrypt(rest[:_NONCE_BYTES], rest[_NONCE_BYTES:], place)
        except (InvalidTag, ValueError) as exc:
            raise PayloadAltered("it is not what was sealed for its place") from exc

    def knows(self, wrapping: bytes) -> bool:
        return wrapping in self._by_id

    def _wrap(self, key: bytes, tenant: str, key_id: KeyId) -> bytes:
        nonce = os.urandom(_NONCE_BYTES)
        return self.current + nonce + self._by_id[self.current].encrypt(nonce, key, _place(tenant, key_id))

    def _unwrap(self, wrapped: bytes, tenant: str, key_id: KeyId) -> bytes:
        wrapping, rest = wrapping_key_id(wrapped), wrapped[_ID_BYTES:]
        if wrapping not in self._by_id:
            raise KeyUnknown(f"a payload key of {key_id.day} is wrapped under the key {wrapping.hex()}")
        try:
            return self._by_id[wrapping].decrypt(rest[:_NONCE_BYTES], rest[_NONCE_BYTES:], _place(tenant, key_id))
        except (InvalidTag, ValueError) as exc:
            raise PayloadAltered(f"the payload key of {key_id.day} is not the one that was kept") from exc


class DataKey:
    """Seals and opens the payloads of one tenant's day."""

    def __init__(self, tenant: str, key_id: KeyId, cipher: AESGCM) -> None:
        self._tenant = tenant.encode()
        self._cipher = cipher
        self._append = os.urandom(6)
        self._header = _HEADER.pack(_VERSION, key_id.day.toordinal(), key_id.number, self._append)

    def seal(self, log_index: int, payload: bytes, digest: str) -> bytes:
        """Return `payload` sealed for its place. `digest` is the one that its envelope names it by."""
        nonce = log_index.to_bytes(6, "big") + self._append
        bound = b"%b\0%d\0%b" % (self._tenant, log_index, digest.encode())
        return self._header + self._cipher.encrypt(nonce, payload, bound)

    def open(self, log_index: int, sealed: bytes, digest: str) -> bytes:
        """Return the payload that was sealed at this place. Raises PayloadAltered."""
        nonce = log_index.to_bytes(6, "big") + sealed[_HEADER.size - 6 : _HEADER.size]
        bound = b"%b\0%d\0%b" % (self._tenant, log_index, digest.encode())
        try:
            return self._cipher.decrypt(nonce, sealed[_HEADER.size :], bound)
        except (InvalidTag, ValueError) as exc:
            raise PayloadAltered(f"the payload at index {log_index} is not the one that was sealed") from exc


def key_of(sealed: bytes) -> KeyId | None:
    """Return which key a payload is sealed under; None where it was stored in plain. Raises PayloadAltered."""
    if sealed[:1] != SEALED:
        return None
    try:
        _, ordinal, number, _ = _HEADER.unpack_from(sealed)
        return KeyId(date.fromordinal(ordinal), number)
    except (struct.error, ValueError, OverflowError) as exc:
        raise PayloadAltered("a sealed payload has no header") from exc


def wrapping_key_id(wrapped: bytes) -> bytes:
    """Return which key of a ring `wrapped` is under."""
    return wrapped[:_ID_BYTES]


def _id(key: bytes) -> bytes:
    return hashlib.sha256(b"gatehouse payload key file\0" + key).digest()[:_ID_BYTES]


def _place(tenant: str, key_id: KeyId) -> bytes:
    return f"gatehouse payload key\0{tenant}\0{key_id.day.isoformat()}\0{key_id.number}".encode()
