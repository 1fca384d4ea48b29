# SPDX-License-Identifier: Apache-2.0
"""Make the signed bytes of a snapshot: a stock OPA bundle with the snapshot inside."""

import hashlib
from dataclasses import dataclass

from policies.bundle.archive import pack_members
from policies.bundle.jws import SigningKey, sign
from policies.bundle.members import (
    DATA,
    MANIFEST,
    SIGNATURES,
    SNAPSHOT,
    guard_data,
    manifest,
    manifest_revision,
    opa_bytes,
    rego_modules,
    signature_payload,
    signatures,
)
from policies.contracts.codec import canonical_bytes
from policies.contracts.snapshot import PolicySnapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """Signed bytes. `etag`, with its quotes, names them; `manifest_revision` is what OPA will report."""

    content: bytes
    etag: str
    serial: int
    manifest_revision: str


def pack(snapshot: PolicySnapshot, *, serial: int, signer: SigningKey) -> Bundle:
    """Return the bundle of `snapshot` at `serial`. The same arguments give the same bytes."""
    if serial < 1:
        raise ValueError("a serial counts from 1")
    members = {
        MANIFEST: opa_bytes(manifest(snapshot, serial)),
        DATA: opa_bytes(guard_data(snapshot)),
        SNAPSHOT: canonical_bytes(snapshot.to_json()),
        **{name: module.encode() for name, module in rego_modules(snapshot).items()},
    }
    members[SIGNATURES] = signatures(sign(signature_payload(members), signer))
    content = pack_members(members)
    return Bundle(
        content=content,
        etag=etag_of(content),
        serial=serial,
        manifest_revision=manifest_revision(snapshot, serial),
    )


def etag_of(content: bytes) -> str:
    """Return the strong ETag that names these bytes, with its quotes."""
    return f'"sha256-{hashlib.sha256(content).hexdigest()}"'
