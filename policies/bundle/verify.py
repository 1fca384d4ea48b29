# SPDX-License-Identifier: Apache-2.0
"""Take a bundle apart and believe nothing in it that is not signed, ours, whole, and newer than what is in force."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from policies.bundle.archive import read_members
from policies.bundle.jws import VerificationKeys, open_signed
from policies.bundle.members import (
    DATA,
    ENTRY,
    MANIFEST,
    SIGNATURES,
    SNAPSHOT,
    guard_data,
    guard_modules,
    manifest,
    manifest_revision,
    opa_bytes,
    signature_payload,
    signatures,
)
from policies.contracts.codec import JSON
from policies.contracts.errors import BundleRejected
from policies.contracts.snapshot import PolicySnapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedBundle:
    """What a bundle says, all of it verified. `modules` and `data` are what an embedded Rego engine runs."""

    snapshot: PolicySnapshot
    serial: int
    manifest_revision: str
    modules: Mapping[str, str]
    data: Mapping[str, JSON]


def verify(
    raw: bytes,
    *,
    keys: VerificationKeys,
    tenant: str,
    environment: str,
    newer_than: int | None,
) -> VerifiedBundle:
    """Return what `raw` says. Raises BundleRejected with a code of `docs/spec/bundle.md`.

    `keys` are public keys in PEM by key id. `newer_than` is the serial in force; None takes any serial, as a worker
    does that loads a file its node has verified before.
    """
    members = read_members(raw)
    _check_signature(members, keys)
    snapshot, serial = _read_snapshot(members)
    _check_members(members, snapshot)
    if (snapshot.tenant, snapshot.environment) != (tenant, environment):
        raise BundleRejected("wrong-scope", "the bundle is for another tenant or environment")
    if newer_than is not None and serial <= newer_than:
        raise BundleRejected("serial-not-newer", f"the bundle's serial is {serial}, in force is {newer_than}")
    return VerifiedBundle(
        snapshot=snapshot,
        serial=serial,
        manifest_revision=manifest_revision(snapshot, serial),
        modules={name: content.decode() for name, content in members.items() if name.endswith(".rego")},
        data=guard_data(snapshot),
    )


def _check_signature(members: Mapping[str, bytes], keys: VerificationKeys) -> None:
    try:
        listed = json.loads(members[SIGNATURES])["signatures"]
        (token,) = listed
    except (KeyError, TypeError, ValueError, RecursionError):
        raise BundleRejected("bundle-unsigned", "the bundle has not exactly one signature") from None
    if not isinstance(token, str) or not token.isascii():
        raise BundleRejected("signature-invalid", "the signature is not a compact JWS")
    if members[SIGNATURES] != signatures(token):
        raise BundleRejected("signature-invalid", "something stands beside the signature")
    # One comparison covers every digest, a member that is missing, one that is not listed, issuer and scope.
    if open_signed(token, keys) != signature_payload(members):
        raise BundleRejected("content-altered", "the members are not those that were signed")


def _read_snapshot(members: Mapping[str, bytes]) -> tuple[PolicySnapshot, int]:
    try:
        snapshot = PolicySnapshot.from_canonical(members[SNAPSHOT])
        stated: Any = json.loads(members[MANIFEST])
        serial = stated["metadata"]["serial"]
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError):
        raise BundleRejected("snapshot-invalid", "snapshot or manifest is not of a form known here") from None
    if not isinstance(serial, int) or isinstance(serial, bool) or serial < 1:
        raise BundleRejected("snapshot-invalid", "the serial is not of a form known here")
    if opa_bytes(manifest(snapshot, serial)) != members[MANIFEST]:
        raise BundleRejected("snapshot-invalid", "the manifest disagrees with the snapshot")
    return snapshot, serial


def _check_members(members: Mapping[str, bytes], snapshot: PolicySnapshot) -> None:
    """Hold what OPA evaluates to the snapshot, so that the two never enforce different policies."""
    modules = guard_modules(snapshot)
    if members.keys() != {MANIFEST, SIGNATURES, DATA, SNAPSHOT, ENTRY, *modules}:
        raise BundleRejected("bundle-unreadable", "the bundle lacks a member, or has one that has no place in it")
    same = all(members[name] == module.encode() for name, module in modules.items())
    if not same or members[DATA] != opa_bytes(guard_data(snapshot)):
        raise BundleRejected("snapshot-invalid", "what OPA would evaluate differs from the snapshot")
