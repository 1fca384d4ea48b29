# SPDX-License-Identifier: Apache-2.0
"""What the control plane keeps, as frozen values. Times are aware UTC; `tenant` is a member of everything kept."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Generic, TypeVar

from policies.contracts.codec import JSON
from policies.contracts.scope import UNSCOPED, Scope

DEFAULT_TENANT = "default"
DEFAULT_ENVIRONMENT = "production"
DEFAULT_POLICY_SET = "default"

ItemT = TypeVar("ItemT")


class Role(StrEnum):
    """What a principal is for. `authz/policy.csv` says what each may do."""

    ADMIN = "admin"
    AUTHOR = "author"
    APPROVER = "approver"
    AUDITOR = "auditor"
    AGENT = "agent"
    INVESTIGATOR = "investigator"
    PEP = "pep"
    OPERATOR = "operator"


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[ItemT]):
    """Some items in their order, and the key after which the next page begins; None where there is no more."""

    items: tuple[ItemT, ...]
    next_key: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Who uses the API: one role each. The token itself is never kept, only its hash.

    `environments` are those in which the role counts; None: in all. Principals of one `person` are one to approvals.
    """

    tenant: str
    id: str
    name: str
    role: Role
    created_at: datetime
    environments: tuple[str, ...] | None = None
    person: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """A policy of the working set. `revision` is the current one, `author` whoever made that."""

    tenant: str
    id: str
    kind: str
    version: str
    revision: str
    author: str
    filename: str
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyRevision:
    """Immutable, named by the digest of its source."""

    tenant: str
    policy: str
    kind: str
    version: str
    revision: str
    filename: str
    source: bytes
    author: str
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyTestResult:
    """What one test of one policy gave when the release was made. `problem` is empty where it passed.

    `exercised` are the rules it tried, each as policy and name; none is known of releases made before it was kept.
    """

    policy: str
    name: str
    passed: bool
    problem: str = ""
    exercised: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """Pinned revisions, compiled. `revision` names the content of the snapshot, `id` the act of releasing it.

    `untested` are the enforcing rules, as POLICY/RULE, that no passing test tried. `promoted_from` is the release of
    the same pins for another environment. `manifest` is signed; empty in releases made before there were manifests.
    """

    tenant: str
    environment: str
    id: str
    policy_set: str
    revision: str
    policies: tuple[tuple[str, str], ...]
    tests: tuple[PolicyTestResult, ...]
    snapshot: bytes
    description: str
    author: str
    created_at: datetime
    untested: tuple[str, ...] = ()
    untested_reason: str = ""
    promoted_from: str | None = None
    manifest: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """Where releases are put to work. `serial` is 0 before the first activation; `epoch` counts credential changes."""

    tenant: str
    id: str
    serial: int
    epoch: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Activation:
    """A release published at a serial. `active_at` is when every live worker was first seen to enforce it.

    `in_force_at` is when it became what the bundle feed serves; None of a candidate that never did.
    """

    tenant: str
    environment: str
    id: str
    serial: int
    release: str
    revision: str
    etag: str
    by: str
    created_at: datetime
    active_at: datetime | None
    in_force_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """Bytes that a feed serves under a strong ETag (without its quotes)."""

    etag: str
    content: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """A key that the data plane accepts. `hash` is keyed; the key itself was shown once and is not kept.

    `replaced_by` is the id of the key that a rotation made in its place.
    """

    tenant: str
    environment: str
    id: str
    subject: str
    hash: str
    created_by: str
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    scope: Scope = UNSCOPED
    replaced_by: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockedSubject:
    """A subject (`TYPE:NAME`) whom no credential identifies in the environment any more."""

    tenant: str
    environment: str
    subject: str
    blocked_by: str
    blocked_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerStatus:
    """One worker slot of a node: what it enforces, or why not; and which candidate it tries beside, or why not.

    `error` is of `failed_serial`; a node of the version before does not say of which.
    """

    slot: str
    pid: int | None
    serial: int
    revision: str | None
    epoch: int
    error: str | None
    candidate_serial: int | None = None
    candidate_error: str | None = None
    revocations_epoch: int | None = None
    failed_serial: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RejectedBundle:
    code: str
    etag: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SpoolStatus:
    depth_records: int
    oldest_s: int
    shipped: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent:
    """A proxy node as it last reported itself. `reported_by` is the principal that first did; nobody else may.

    `environment_number` is that of the environment document it follows; None: it has none, or is of a release before.
    """

    tenant: str
    environment: str
    id: str
    version: str
    guard_engine: str
    workers: tuple[WorkerStatus, ...]
    spool: SpoolStatus | None
    rejected_bundle: RejectedBundle | None
    reported_by: str
    reported_at: datetime
    environment_number: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AdminEvent:
    """Who changed what in the control plane. `detail` holds identifiers, never sources, tokens or keys.

    `log_index` is its place in the log; None until the sequencer has put it there.
    """

    tenant: str
    seq: int
    at: datetime
    principal: str
    role: str
    action: str
    target: str
    detail: dict[str, JSON]
    log_index: int | None = None
