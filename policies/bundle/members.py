# SPDX-License-Identifier: Apache-2.0
"""What stands in a bundle and under which name (`docs/spec/bundle.md`), for packing and for verifying alike."""

import hashlib
import json
from collections.abc import Mapping
from typing import Final

from policies.bundle.guard_entry import entry_module, guard_name
from policies.contracts.codec import JSON, canonical_bytes
from policies.contracts.snapshot import PolicySnapshot

MANIFEST: Final = ".manifest"
SIGNATURES: Final = ".signatures.json"
DATA: Final = "data.json"
SNAPSHOT: Final = "snapshot.json"
ENTRY: Final = "gatehouse/main.rego"

ISSUER: Final = "gatehouse"
SCOPE: Final = "read"


def manifest_revision(snapshot: PolicySnapshot, serial: int) -> str:
    """Return what OPA reports as provenance: the serial and the snapshot's revision."""
    return f"{serial}+{snapshot.revision}"


def manifest(snapshot: PolicySnapshot, serial: int) -> dict[str, JSON]:
    return {
        "metadata": {"environment": snapshot.environment, "serial": serial, "tenant": snapshot.tenant},
        "revision": manifest_revision(snapshot, serial),
        "rego_version": 1,
        "roots": ["gatehouse"],
    }


def opa_bytes(value: JSON) -> bytes:
    """Return `value` as OPA writes JSON when it hashes `.manifest` and `data.json`: its hash is then that of the bytes.

    Keys stand in bytewise order, and two line separators are escaped, which RFC 8785 does otherwise.
    """
    text = json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return text.replace("\u2028", r"\u2028").replace("\u2029", r"\u2029").encode()


def guard_data(snapshot: PolicySnapshot) -> dict[str, JSON]:
    """Return the content of data.json."""
    return {"gatehouse": {"guard_data": {guard_name(guard.id): guard.data for guard in snapshot.guards}}}


def guard_modules(snapshot: PolicySnapshot) -> dict[str, str]:
    """Return the guards' modules, by their names in the bundle."""
    return {f"gatehouse/guard/{guard_name(guard.id)}.rego": guard.module for guard in snapshot.guards}


def rego_modules(snapshot: PolicySnapshot) -> dict[str, str]:
    """Return every Rego module of the bundle, the generated entry among them."""
    return {ENTRY: entry_module(snapshot), **guard_modules(snapshot)}


def signature_payload(members: Mapping[str, bytes]) -> dict[str, JSON]:
    """Return what is signed: the digest of every member but the signatures."""
    files = [
        {"algorithm": "SHA-256", "hash": hashlib.sha256(members[name]).hexdigest(), "name": name}
        for name in sorted(members)
        if name != SIGNATURES
    ]
    return {"files": files, "iss": ISSUER, "scope": SCOPE}


def signatures(token: str) -> bytes:
    """Return the content of .signatures.json."""
    return canonical_bytes({"signatures": [token]})
