# SPDX-License-Identifier: Apache-2.0
"""The key of the log: one pair for all tenants, each of whose logs has an origin of its own.

The key file is a signer's key of Go's `sumdb/note`, one line. The name in it is the log's name; the origin of a
tenant's log is `NAME/TENANT`, and the key signs under that name.
"""

from dataclasses import dataclass, field
from typing import Self

from controlplane.audit.note_keys import KeyKind, KeyMalformed, SignerKey, is_key_name

_ID_DIGITS = 8


@dataclass(frozen=True, slots=True)
class LogKey:
    """Signs for the log of every tenant under `name`."""

    name: str
    seed: bytes = field(repr=False)

    @classmethod
    def parse(cls, text: str, *, name: str | None = None) -> Self:
        """Return the key of a key file, under `name` where one is given. Raises KeyMalformed."""
        read = SignerKey.parse(text.strip())
        if read.kind is not KeyKind.NOTE:
            raise KeyMalformed("a log signs with a plain key, not with a cosigner's")
        if name is not None and not is_key_name(name):
            raise KeyMalformed("the log's name has no spaces, no plus sign and no control characters")
        return cls(name or read.name, read.seed)

    def origin(self, tenant: str) -> str:
        """Return the first line of every checkpoint of the tenant's log."""
        return f"{self.name}/{tenant}"

    def signer(self, tenant: str) -> SignerKey:
        """Return the key as it signs for `tenant`. Raises KeyMalformed where no signature line can name it."""
        origin = self.origin(tenant)
        if not is_key_name(origin):
            raise KeyMalformed("the tenant's name cannot stand in a signature line")
        return SignerKey(origin, KeyKind.NOTE, self.seed)

    def vkey(self, tenant: str) -> str:
        """Return what a verifier needs to know of the key."""
        return str(self.signer(tenant).verifier)


def new_log_key() -> str:
    """Return the line of a new key file. The name is the key's own, so that no two homes have the same."""
    made = SignerKey.generate("gatehouse")
    name = f"gatehouse-{made.verifier.public.hex()[:_ID_DIGITS]}.local"
    return SignerKey(name, KeyKind.NOTE, made.seed).to_text()
