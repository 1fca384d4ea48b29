# SPDX-License-Identifier: Apache-2.0
"""A verified bundle as its node prepares it for the workers: the snapshot without its grants, and the grants in a file.

Theory: what is slow about a bundle (its signature, 10 MB of JSON, 100,000 grants as objects) is done once, by the node,
which serves no request. A worker reads the head, some kilobytes, and asks the file of grants for the rows of each
question, so that a change of policy takes none of the worker's processor from its requests, however large policy is.

Facts: both files are the node's own, in its private folder. The head begins with the digest of its rest, which has that
of the grants: a file that was torn by a crash or that the disk gave back altered is not put to work.
"""

import hashlib
import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Protocol

from policies.contracts.codec import JSON
from policies.contracts.decision import Effect, Mode
from policies.contracts.snapshot import PolicySnapshot
from policies.engines.grants import GrantsInFile, write_grants
from proxy_addons.durable import write_durably
from proxy_addons.node.bundle_store import etag_of

HEAD: Final = ".head.json"
GRANTS: Final = ".grants"


class Verified(Protocol):
    """What is prepared of a verified bundle."""

    @property
    def serial(self) -> int: ...

    @property
    def manifest_revision(self) -> str: ...

    @property
    def snapshot(self) -> PolicySnapshot: ...


class PreparedAltered(Exception):
    """A prepared file is not what the node wrote."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedPolicy:
    """What a worker builds its policy from. `snapshot` has no grants: they are in `grants`.

    `models` are those that grants allow by name; `allows_everybody` says that an enforced one names `*`.
    """

    serial: int
    etag: str
    manifest_revision: str
    snapshot: PolicySnapshot
    grants: GrantsInFile
    models: frozenset[str]
    allows_everybody: bool


def prepare(bundle: Path, verified: Verified) -> None:
    """Write the files beside the file `bundle` that workers read. Raises OSError."""
    snapshot = verified.snapshot
    grants = bundle.with_name(bundle.name + GRANTS)
    unfinished = grants.with_name(grants.name + ".tmp")
    unfinished.unlink(missing_ok=True)
    try:
        write_grants(unfinished, sorted(snapshot.access, key=lambda policy: policy.id))
    except sqlite3.Error as exc:
        raise OSError(f"the grants cannot be written: {type(exc).__name__}") from exc
    unfinished.chmod(0o600)
    unfinished.replace(grants)
    head: dict[str, JSON] = {
        "serial": verified.serial,
        "etag": etag_of(bundle.read_bytes()),
        "manifest_revision": verified.manifest_revision,
        "revision": snapshot.revision,
        "grants": _digest_of(grants),
        "models": sorted(models_allowed(snapshot)),
        "allows_everybody": _allows_everybody(snapshot),
        "snapshot": _without_grants(snapshot).to_json(),
    }
    content = json.dumps(head, separators=(",", ":")).encode()
    digest = hashlib.sha256(content).hexdigest().encode()
    write_durably(bundle.with_name(bundle.name + HEAD), digest + b"\n" + content)


def read_prepared(bundle: Path) -> PreparedPolicy:
    """Return what `prepare` wrote beside `bundle`.

    Raises PreparedAltered, OSError, or sqlite3.Error for files that are not what they were.
    """
    digest, _, content = bundle.with_name(bundle.name + HEAD).read_bytes().partition(b"\n")
    if hashlib.sha256(content).hexdigest().encode() != digest:
        raise PreparedAltered("the head is not what the node wrote")
    head: Mapping[str, Any] = json.loads(content)
    grants = bundle.with_name(bundle.name + GRANTS)
    if _digest_of(grants) != head["grants"]:
        raise PreparedAltered("the grants are not what the node wrote")
    snapshot = PolicySnapshot.from_json(head["snapshot"])
    # The revision is that of the whole, grants included, which is what is enforced.
    vars(snapshot)["revision"] = head["revision"]
    return PreparedPolicy(
        serial=head["serial"],
        etag=head["etag"],
        manifest_revision=head["manifest_revision"],
        snapshot=snapshot,
        grants=GrantsInFile(grants),
        models=frozenset(head["models"]),
        allows_everybody=head["allows_everybody"],
    )


def models_allowed(snapshot: PolicySnapshot) -> frozenset[str]:
    """Return the models that grants allow by name."""
    allowing = (grant for access in snapshot.access for grant in access.grants if grant.effect is Effect.ALLOW)
    return frozenset(model for grant in allowing for model in grant.models) - {"*"}


def _allows_everybody(snapshot: PolicySnapshot) -> bool:
    enforced = (access for access in snapshot.access if access.mode is Mode.ENFORCE)
    return any(grant.effect is Effect.ALLOW and "*" in grant.subjects for access in enforced for grant in access.grants)


def _without_grants(snapshot: PolicySnapshot) -> PolicySnapshot:
    return replace(snapshot, access=tuple(replace(access, grants=()) for access in snapshot.access))


def _digest_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
