# SPDX-License-Identifier: Apache-2.0
"""Verify a bundle before anything of it is put to work (`docs/spec/bundle.md`, "Reading").

Order: form, signature, every member's hash, that manifest and snapshot say the same, scope, serial. Nothing is taken
from an unverified member; the Rego is generated again from the verified snapshot and must be what the bundle holds, so
that OPA and the embedded engine cannot be given different guards.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from policies.bundle.archive import read_archive
from policies.bundle.guard_entry import rego_data, rego_modules
from policies.bundle.keys import load_verification_keys, verify_jws
from policies.bundle.pack import DATA, MANIFEST, SCOPE, SIGNATURES, SNAPSHOT, manifest_revision, opa_bytes
from policies.contracts.codec import JSON, canonical_bytes
from policies.contracts.errors import BundleRejected
from policies.contracts.snapshot import PolicySnapshot

_ROOTS: Final = ["gatehouse"]


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedBundle:
    """A bundle signed by a configured key. `modules` and `data` are what an embedded Rego engine needs."""

    snapshot: PolicySnapshot
    serial: int
    manifest_revision: str
    modules: Mapping[str, str]
    data: Mapping[str, JSON]


def verify(
    raw: bytes,
    *,
    keys: Mapping[str, bytes],
    tenant: str,
    environment: str,
    newer_than: int | None,
) -> VerifiedBundle:
    """Return what `raw` holds once it may be put to work.

    `keys` are PEM public keys by key id. `newer_than` is the serial in force; None accepts any. Raises BundleRejected.
    """
    members = read_archive(raw)
    _check_content(members, _signed_hashes(members, keys))
    snapshot, manifest = _read_snapshot(members), _read_object(members, MANIFEST)
    serial = _serial(manifest)
    if (snapshot.tenant, snapshot.environment) != (tenant, environment):
        raise BundleRejected("wrong-scope", "it is for another tenant or environment")
    _check_agreement(members, manifest, snapshot, serial)
    if newer_than is not None and serial <= newer_than:
        raise BundleRejected("serial-not-newer", f"its serial {serial} is not above {newer_than}")
    return VerifiedBundle(
        snapshot=snapshot,
        serial=serial,
        manifest_revision=manifest_revision(snapshot, serial),
        modules=rego_modules(snapshot),
        data=rego_data(snapshot),
    )


def _signed_hashes(members: Mapping[str, bytes], keys: Mapping[str, bytes]) -> dict[str, str]:
    if SIGNATURES not in members:
        raise BundleRejected("bundle-unsigned", "it has no signature")
    match _read_object(members, SIGNATURES, code="bundle-unsigned"):
        case {"signatures": [str(token)]}:
            payload = verify_jws(token, load_verification_keys(keys))
        case _:
            raise BundleRejected("bundle-unsigned", "it does not have exactly one signature")
    if payload.get("scope") != SCOPE or not isinstance(payload.get("files"), list):
        raise BundleRejected("signature-invalid", "it was not signed as a bundle")
    hashes: dict[str, str] = {}
    for file in payload["files"]:
        match file:
            case {"name": str(name), "hash": str(value), "algorithm": "SHA-256"} if name not in hashes:
                hashes[name] = value
            case _:
                raise BundleRejected("signature-invalid", "it lists a file in a form that is not ours")
    return hashes


def _check_content(members: Mapping[str, bytes], signed: Mapping[str, str]) -> None:
    present = {name: hashlib.sha256(content).hexdigest() for name, content in members.items() if name != SIGNATURES}
    if present != signed:
        raise BundleRejected("content-altered", "its members are not those that were signed")


def _read_snapshot(members: Mapping[str, bytes]) -> PolicySnapshot:
    raw = _read_object(members, SNAPSHOT)
    try:
        snapshot = PolicySnapshot.from_json(raw)
        canonical = canonical_bytes(snapshot.to_json())
    except (ValueError, KeyError, TypeError, AttributeError) as exc:
        raise BundleRejected("snapshot-invalid", "its snapshot is not of a schema known here") from exc
    if canonical != members[SNAPSHOT]:
        raise BundleRejected("snapshot-invalid", "its snapshot is not in canonical form")
    return snapshot


def _read_object(members: Mapping[str, bytes], name: str, *, code: str = "snapshot-invalid") -> dict[str, Any]:
    try:
        value = json.loads(members[name])
    except (KeyError, ValueError, RecursionError) as exc:
        raise BundleRejected(code, f"{name} is missing or cannot be read") from exc
    if not isinstance(value, dict):
        raise BundleRejected(code, f"{name} is not an object")
    return value


def _serial(manifest: Mapping[str, Any]) -> int:
    match manifest:
        case {"metadata": {"serial": int(serial)}} if serial >= 1 and not isinstance(serial, bool):
            return serial
        case _:
            raise BundleRejected("snapshot-invalid", "its manifest has no serial")


def _check_agreement(
    members: Mapping[str, bytes],
    manifest: Mapping[str, Any],
    snapshot: PolicySnapshot,
    serial: int,
) -> None:
    want: dict[str, Any] = {
        "revision": manifest_revision(snapshot, serial),
        "roots": _ROOTS,
        "rego_version": 1,
        "metadata": {"tenant": snapshot.tenant, "environment": snapshot.environment, "serial": serial},
    }
    modules = {name: module.encode() for name, module in rego_modules(snapshot).items()}
    generated = {MANIFEST: opa_bytes(want), DATA: opa_bytes(rego_data(snapshot)), **modules}
    held = {name: content for name, content in members.items() if name not in (SNAPSHOT, SIGNATURES)}
    if manifest != want or held != generated:
        raise BundleRejected("snapshot-invalid", "its manifest, data or modules are not those of its snapshot")
