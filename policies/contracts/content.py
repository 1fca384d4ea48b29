# SPDX-License-Identifier: Apache-2.0
"""What records keep of prompts and answers where policy asks for it: keyed hashes, and the key that seals texts.

Both are derived from the key of the pseudonyms, so that nodes and control plane need no secret more than they share.
`docs/spec/decision-record.md` has the form; `policies.sealed_texts` seals and opens.
"""

import hashlib
import hmac
from enum import StrEnum


class Side(StrEnum):
    """Whose texts: PROMPT as it was forwarded, ANSWER as it was delivered; each after redaction."""

    PROMPT = "prompt"
    ANSWER = "answer"


class ContentHash:
    """The hash of a text that comes in parts, so that a stream is hashed without being kept."""

    def __init__(self, key: bytes, *, tenant: str) -> None:
        # It cannot be a subject's pseudonym nor a span's hash: neither has `content` and a NUL after the tenant.
        self._mac = hmac.new(key, f"{tenant}\0content\0".encode(), hashlib.sha256)

    def update(self, part: str) -> None:
        self._mac.update(part.encode("utf-8", "surrogatepass"))

    def value(self) -> str:
        """Return `c1:` and 32 hexadecimal digits: equal for equal texts of one tenant."""
        return "c1:" + self._mac.hexdigest()[:32]


def content_hash(key: bytes, *, tenant: str, text: str) -> str:
    """Return the keyed hash under which `text` stands in records. Whoever looks for a text computes the same."""
    hashed = ContentHash(key, tenant=tenant)
    hashed.update(text)
    return hashed.value()


def content_key(key: bytes, *, tenant: str, day: str) -> bytes:
    """Return the AES-256 key of what is sealed on `day` (`2026-11-20`, UTC, of the record's `time`)."""
    return hmac.digest(key, f"{tenant}\0content-key\0{day}".encode(), "sha256")


def sealed_for(*, tenant: str, record_id: str, side: Side) -> bytes:
    """Return what a sealed text is bound to: moved into another record, or to the other side, it does not open."""
    return f"gatehouse.content/1\0{tenant}\0{record_id}\0{side}".encode()
