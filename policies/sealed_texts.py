# SPDX-License-Identifier: Apache-2.0
"""The texts of a prompt or an answer as a record's payload has them: hashed, and sealed with AES-256-GCM.

The node seals, so that no text is on its disk in the clear; the control plane opens for whoever may read content. The
key belongs to a tenant and a day (`policies.contracts.content.content_key`), the nonce is random: 2^32 records of a day
may be sealed before two are likely to share one.
"""

import base64
import binascii
import secrets
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from policies.contracts.codec import JSON
from policies.contracts.content import Side, content_key, sealed_for

_NONCE_BYTES: Final = 12
# Before each part. JSON would make up to six bytes of one, and what is sealed must fit into a line of the spool.
_LENGTH: Final = struct.Struct(">I")


class SealBroken(ValueError):
    """What does not open: of another key, another record or altered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptText:
    """One text with the path of its field (`messages.0.content`)."""

    path: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedTexts:
    """Texts that are sealed. `truncated`: there were more than policy keeps."""

    day: str
    nonce: bytes
    box: bytes
    truncated: bool

    def to_json(self) -> dict[str, JSON]:
        return {
            "day": self.day,
            "nonce": base64.b64encode(self.nonce).decode("ascii"),
            "box": base64.b64encode(self.box).decode("ascii"),
            "truncated": self.truncated,
        }

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> Self:
        """Read what `to_json` gave. Raises SealBroken for anything else."""
        try:
            return cls(
                day=str(raw["day"]),
                nonce=base64.b64decode(raw["nonce"], validate=True),
                box=base64.b64decode(raw["box"], validate=True),
                truncated=bool(raw["truncated"]),
            )
        except (KeyError, TypeError, binascii.Error) as exc:
            raise SealBroken("not the form of sealed texts") from exc


@dataclass(frozen=True, slots=True, kw_only=True)
class Seal:
    """Seals and opens the texts of one tenant. `key` is the key of its pseudonyms."""

    key: bytes
    tenant: str

    def close(
        self, texts: Sequence[KeptText], *, side: Side, record_id: str, day: str, truncated: bool = False
    ) -> SealedTexts:
        """Return `texts` sealed for the record `record_id`, whose `time` is of `day`."""
        plain = b"".join(_lengthened(part) for kept in texts for part in (kept.path, kept.text))
        nonce = secrets.token_bytes(_NONCE_BYTES)
        box = self._cipher(day).encrypt(nonce, plain, sealed_for(tenant=self.tenant, record_id=record_id, side=side))
        return SealedTexts(day=day, nonce=nonce, box=box, truncated=truncated)

    def open(self, sealed: SealedTexts, *, side: Side, record_id: str) -> tuple[KeptText, ...]:
        """Return what was sealed. Raises SealBroken."""
        bound_to = sealed_for(tenant=self.tenant, record_id=record_id, side=side)
        try:
            plain = self._cipher(sealed.day).decrypt(sealed.nonce, sealed.box, bound_to)
        except (InvalidTag, ValueError) as exc:
            raise SealBroken("sealed with another key, for another record, or altered") from exc
        parts = _parts(plain)
        return tuple(KeptText(path=path, text=text) for path, text in zip(parts[::2], parts[1::2], strict=True))

    def _cipher(self, day: str) -> AESGCM:
        return AESGCM(content_key(self.key, tenant=self.tenant, day=day))


def _lengthened(part: str) -> bytes:
    raw = part.encode("utf-8", "surrogatepass")
    return _LENGTH.pack(len(raw)) + raw


def _parts(plain: bytes) -> list[str]:
    """Return what was put together. The seal vouches for its form."""
    parts, at = [], 0
    while at < len(plain):
        (length,) = _LENGTH.unpack_from(plain, at)
        at += _LENGTH.size
        parts.append(plain[at : at + length].decode("utf-8", "surrogatepass"))
        at += length
    return parts
