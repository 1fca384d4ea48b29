# SPDX-License-Identifier: Apache-2.0
"""What separates the policies of a directory from those of the control plane."""

import difflib
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import click

from controlplane.cli.shared import segment
from controlplane.cli.tables import plain
from controlplane.client import ApiClient
from policies.document.forms import ID
from policies.document.loader import load_documents

_MOST_LINES: Final = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Local:
    """A document of the directory."""

    file: str
    source: bytes

    @property
    def revision(self) -> str:
        """What the control plane calls this content."""
        return "sha256:" + hashlib.sha256(self.source).hexdigest()


@dataclass(slots=True, kw_only=True)
class Theirs:
    """Policies of the control plane by id, with the revision of each. Sources are fetched when they are asked for."""

    client: ApiClient
    revisions: Mapping[str, str]
    _sources: dict[str, bytes] = field(default_factory=dict)

    def source(self, policy: str) -> bytes:
        """Return the document of a policy. Raises ClickException where it is not what its revision names."""
        if policy not in self._sources:
            revision = self.revisions[policy]
            found = self.client.get(f"/v1/policies/{segment(policy)}/revisions/{segment(revision)}").body
            source = found["source"].encode()
            if Local(file="", source=source).revision != revision:
                raise click.ClickException(f"the source of {policy} is not that of its revision {revision}")
            self._sources[policy] = source
        return self._sources[policy]

    def file_name(self, policy: str, source: bytes) -> str:
        """Return the name of a file for a policy. What is no id names no file: it came over the network."""
        if not ID.fits(policy):
            raise click.ClickException("the control plane has a policy whose id is none")
        return f"{policy}.json" if source.lstrip()[:1] == b"{" else f"{policy}.yaml"


@dataclass(frozen=True, slots=True, kw_only=True)
class PutToWork:
    """What an environment was told to enforce; None before the first activation."""

    release: str | None
    revision: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """`what` is create, revise, remove, unchanged, or kept: there, and not in the directory.

    `revision` is the one of the control plane, empty where it has none. `after` is None where there will be none.
    """

    id: str
    what: str
    file: str
    revision: str
    after: bytes | None

    @property
    def changes(self) -> bool:
        return self.what in ("create", "revise", "remove")

    def lines(self, theirs: Theirs) -> list[str]:
        """Return the difference line by line, as `diff -u` writes it, cut where it is endless."""
        if not self.changes:
            return []
        before = "" if self.what == "create" else theirs.source(self.id).decode()
        after = "" if self.after is None else self.after.decode()
        names = (self.revision or "nothing", self.file or "nothing")
        lines = list(difflib.unified_diff(before.splitlines(), after.splitlines(), *names, lineterm=""))
        shown = [plain(line) for line in lines[:_MOST_LINES]]
        return shown if len(lines) <= _MOST_LINES else [*shown, f"… {len(lines) - _MOST_LINES} more lines"]


def local_files(files: Mapping[str, bytes]) -> dict[str, Local]:
    """Return documents by id. Raises PolicyRejected, and UsageError where two have one id."""
    found: dict[str, Local] = {}
    twice: set[str] = set()
    for document, name in zip(load_documents(files), sorted(files), strict=True):
        if document.id in found:
            twice.add(document.id)
        found[document.id] = Local(file=name, source=files[name])
    if twice:
        raise click.UsageError(f"several documents have the id {', '.join(sorted(twice))}")
    return found


def working_set(client: ApiClient) -> Theirs:
    """Return the policies that a release would be made of."""
    return Theirs(client=client, revisions={item["id"]: item["revision"] for item in client.every("/v1/policies")})


def of_release(client: ApiClient, release: str) -> Theirs:
    """Return the policies that a release has."""
    found = client.get(f"/v1/policy-sets/default/releases/{segment(release)}").body
    return Theirs(client=client, revisions=found["policies"])


def in_force(client: ApiClient, environment: str) -> PutToWork:
    """Return the release that an environment was told to enforce."""
    desired = client.get(f"/v1/environments/{segment(environment)}").body["desired"]
    if desired is None:
        return PutToWork(release=None, revision=None)
    return PutToWork(release=desired["release"], revision=desired["revision"])


def compared(local: Mapping[str, Local], theirs: Theirs, *, remove: bool) -> list[Change]:
    """Return what becomes of each policy, by id, where the directory is applied."""
    changes = []
    for name in sorted({*local, *theirs.revisions}):
        revision = theirs.revisions.get(name, "")
        ours = local.get(name)
        if ours is None:
            changes.append(Change(id=name, what="remove" if remove else "kept", file="", revision=revision, after=None))
            continue
        what = "create" if not revision else "unchanged" if ours.revision == revision else "revise"
        changes.append(Change(id=name, what=what, file=ours.file, revision=revision, after=ours.source))
    return changes
