# SPDX-License-Identifier: Apache-2.0
"""Pack a snapshot into a signed stock OPA bundle (`docs/spec/bundle.md`)."""

import hashlib
import json
from dataclasses import dataclass
from typing import Final

from policies.bundle.archive import write_archive
from policies.bundle.guard_entry import rego_data, rego_modules
from policies.bundle.keys import SigningKey
from policies.contracts.codec import JSON, canonical_bytes
from policies.contracts.snapshot import PolicySnapshot

MANIFEST: Final = ".manifest"
SIGNATURES: Final = ".signatures.json"
SNAPSHOT: Final = "snapshot.json"
DATA: Final = "data.json"
SCOPE: Final = "read"
ISSUER: Final = "gatehouse"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """Signed bytes. `etag` names them; `manifest_revision` is `SERIAL+REVISION`, what OPA states as provenance."""

    content: bytes
    etag: str
    manifest_revision: str


def opa_bytes(value: JSON) -> bytes:
    """Return `value` as OPA itself writes JSON when it hashes `.manifest` and `data.json`.

    OPA parses those two files and hashes what its encoder (Go's, without HTML escapes) makes of them, keys in bytewise
    order. Written like this, the hash of the raw bytes is the same, and one signature serves both readings.
    """
    text = json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return text.replace("\u2028", r"\u2028").replace("\u2029", r"\u2029").encode()


def manifest_revision(snapshot: PolicySnapshot, serial: int) -> str:
    return f"{serial}+{snapshot.revision}"


def pack(snapshot: PolicySnapshot, *, serial: int, signer: SigningKey) -> Bundle:
    """Return the bundle of `snapshot` at `serial`. All but the signature's own bytes follow from the arguments."""
    revision = manifest_revision(snapshot, serial)
    manifest: dict[str, JSON] = {
        "revision": revision,
        "roots": ["gatehouse"],
        "rego_version": 1,
        "metadata": {"tenant": snapshot.tenant, "environment": snapshot.environment, "serial": serial},
    }
    members = {
        MANIFEST: opa_bytes(manifest),
        DATA: opa_bytes(rego_data(snapshot)),
        SNAPSHOT: canonical_bytes(snapshot.to_json()),
        **{name: module.encode() for name, module in rego_modules(snapshot).items()},
    }
    token = signer.sign(
        {
            # No time of signing: neither OPA nor we would look at it. What keeps old bundles out is the serial.
            "iss": ISSUER,
            "scope": SCOPE,
            "files": [
                {"name": name, "hash": hashlib.sha256(content).hexdigest(), "algorithm": "SHA-256"}
                for name, content in sorted(members.items())
            ],
        },
    )
    content = write_archive({**members, SIGNATURES: canonical_bytes({"signatures": [token]})})
    return Bundle(
        content=content,
        etag=f"sha256-{hashlib.sha256(content).hexdigest()}",
        manifest_revision=revision,
    )
