# SPDX-License-Identifier: Apache-2.0
"""What the use cases need of a store. `tests/contract/test_store_contract.py` holds every database to it.

Rules: everything asked within one `write()` is stored together or not at all, and is durable when the block has ended.
Writers of one store never interleave in a way that gives a serial, an epoch or a log index twice. A `read()` sees one
state. Lists are in the order of their key and begin after `after`.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import date, datetime
from typing import Protocol

from controlplane.services.activation_ports import ActivationSession
from controlplane.services.change_ports import ChangeSession
from controlplane.services.decision_index import DecisionIndex
from controlplane.services.idempotency_ports import IdempotencySession
from controlplane.services.keeping_ports import KeepingSession
from controlplane.services.log_ports import Checkpoints, LogCensus
from controlplane.services.model import (
    Activation,
    AdminEvent,
    Agent,
    ApiKey,
    Artifact,
    BlockedSubject,
    Environment,
    Page,
    Policy,
    PolicyRevision,
    Principal,
    Release,
)
from controlplane.services.opa_instances import OpaInstance
from controlplane.services.operation import OperationStore
from controlplane.services.posture import PostureSession
from controlplane.services.pushing import SinkPosition
from controlplane.services.records import (
    Batch,
    Gap,
    Head,
    Ingested,
    LogDay,
    LogEntry,
    QuarantinedLine,
    ReceivedRecord,
    SourceClaim,
    SourceReading,
)
from controlplane.services.revocation import RevocationSession
from controlplane.services.rollups import Rollups


class Principals(Protocol):
    def by_token_hash(self, token_hash: str) -> Principal | None: ...
    def by_id(self, tenant: str, principal_id: str) -> Principal | None: ...
    def page(self, tenant: str, *, after: str | None, limit: int) -> Page[Principal]: ...
    def put(self, principal: Principal, *, token_hash: str) -> None:
        """Add the principal, or give the one of that id this name, role and token."""

    def remove(self, tenant: str, principal_id: str) -> None: ...
    def of_the_persons(self, tenant: str, principal_ids: Collection[str]) -> frozenset[str]:
        """Return `principal_ids` with those of every other principal of the same persons."""

    def lock_of_role(self, tenant: str, role: str) -> frozenset[str]:
        """Return the ids of everybody with `role`, whom nobody else changes until the transaction ends."""


class Policies(Protocol):
    def get(self, tenant: str, policy_id: str) -> Policy | None: ...
    def lock(self, tenant: str, policy_id: str) -> Policy | None:
        """As `get`, and nobody else changes the policy until the transaction ends."""

    def page(self, tenant: str, *, after: str | None, limit: int) -> Page[Policy]: ...
    def current(self, tenant: str) -> tuple[Policy, ...]: ...
    def add(self, policy: Policy) -> bool:
        """Put the policy into the working set. False, and nothing changed, where it is in it."""

    def set_revision(self, policy: Policy) -> None: ...
    def remove(self, tenant: str, policy_id: str, *, at: datetime) -> None:
        """Take it out of the working set; its revisions stay."""

    def add_revision(self, revision: PolicyRevision) -> None:
        """Keep the revision; one of the same content is there once."""

    def revision(self, tenant: str, policy_id: str, revision: str) -> PolicyRevision | None: ...
    def authors(self, tenant: str, pins: Collection[tuple[str, str]]) -> frozenset[str]:
        """Return who wrote these revisions of policies, and who made one of them current."""

    def revisions(self, tenant: str, policy_id: str, *, after: str | None, limit: int) -> Page[PolicyRevision]: ...


class Releases(Protocol):
    def add(self, release: Release) -> None: ...
    def get(self, tenant: str, release_id: str) -> Release | None: ...
    def pins(self, tenant: str, release_id: str) -> tuple[tuple[str, str], ...]:
        """Return the policies of a release with their revisions, without its snapshot; none where there is none."""

    def page(self, tenant: str, policy_set: str, *, after: str | None, limit: int) -> Page[Release]: ...


class Environments(Protocol):
    def ensure(self, tenant: str, environment: str) -> None: ...
    def get(self, tenant: str, environment: str) -> Environment | None: ...
    def lock(self, tenant: str, environment: str) -> Environment | None:
        """As `get`, and nobody else takes a serial or an epoch of it until the transaction ends."""

    def all(self, tenant: str) -> tuple[Environment, ...]: ...
    def tenants(self) -> tuple[str, ...]:
        """Return every tenant that has an environment, sorted."""

    def heads(self) -> dict[tuple[str, str], tuple[int, ...]]:
        """Return serial, epoch and the document's number of every (tenant, environment): what the feeds watch."""

    def set_serial(self, tenant: str, environment: str, serial: int) -> None: ...
    def set_credentials(self, tenant: str, environment: str, epoch: int, document: Artifact) -> None: ...
    def credentials(self, tenant: str, environment: str) -> Artifact | None: ...


class Activations(Protocol):
    def add(self, activation: Activation, bundle: Artifact) -> None: ...
    def get(self, tenant: str, activation_id: str) -> Activation | None: ...
    def at_serial(self, tenant: str, environment: str, serial: int) -> Activation | None: ...
    def in_force(self, tenant: str, environment: str, at: datetime) -> Activation | None:
        """Return the activation of the highest serial that had come into force at `at`."""

    def next_in_force(self, tenant: str, environment: str, serial: int) -> Activation | None:
        """Return what came into force after `serial`, which candidates may never do."""

    def last_serial(self, tenant: str, environment: str) -> int:
        """Return the highest serial ever taken, by a candidate too; 0 before the first."""

    def unrolled(self) -> tuple[Activation, ...]:
        """Return the publications of every tenant that a release made which knew of no rollouts."""

    def bundle(self, tenant: str, environment: str, serial: int) -> Artifact | None: ...
    def page(self, tenant: str, *, after: str | None, limit: int) -> Page[Activation]: ...
    def set_active(self, tenant: str, activation_id: str, at: datetime) -> None: ...


class ApiKeys(Protocol):
    def add(self, key: ApiKey) -> None: ...
    def get(self, tenant: str, key_id: str) -> ApiKey | None: ...
    def of_environment(self, tenant: str, environment: str) -> tuple[ApiKey, ...]: ...
    def page(self, tenant: str, *, after: str | None, limit: int) -> Page[ApiKey]: ...
    def revoke(self, tenant: str, key_id: str, at: datetime) -> None: ...
    def replace(self, tenant: str, key_id: str, *, by: str, expires_at: datetime) -> None:
        """Note that the key `by` stands in for this one, which holds until `expires_at`."""


class BlockedSubjects(Protocol):
    def add(self, blocked: BlockedSubject) -> bool:
        """Keep the block. False, and nothing changed, where the subject is blocked already."""

    def remove(self, tenant: str, environment: str, subject: str) -> bool:
        """Take the block away. False where there was none."""

    def of_environment(self, tenant: str, environment: str) -> tuple[BlockedSubject, ...]: ...
    def page(self, tenant: str, environment: str, *, after: str | None, limit: int) -> Page[BlockedSubject]: ...


class Agents(Protocol):
    def get(self, tenant: str, environment: str, agent_id: str) -> Agent | None: ...
    def put(self, agent: Agent) -> None: ...
    def of_environment(self, tenant: str, environment: str) -> tuple[Agent, ...]: ...
    def page(self, tenant: str, *, after: str | None, limit: int) -> Page[Agent]: ...


class DecisionLog(Protocol):
    def append(
        self,
        tenant: str,
        records: Sequence[ReceivedRecord],
        quarantined: Sequence[QuarantinedLine],
        *,
        at: datetime,
    ) -> Ingested:
        """Append what was not stored before at the next dense indexes, and keep the decisions by request up to date."""

    def append_batches(self, tenant: str, batches: Sequence[Batch], *, at: datetime) -> tuple[Ingested, ...]:
        """As `append` with each of `batches`, in one go; what became of each is in their order."""

    def append_own(self, tenant: str, entries: Sequence[ReceivedRecord], *, at: datetime) -> int:
        """Append what the control plane itself writes (`gap_entries.own_entry`), and return the index of the first."""

    def forget_claims(self, tenant: str, source_ids: Collection[str] | None) -> None:
        """Let the claims of these sources, of all where None, wait from their next time on."""

    def claim(self, tenant: str, claims: Sequence[SourceClaim], *, at: datetime) -> tuple[Gap, ...]:
        """Keep what nodes say they sent, and return what of it is found missing now: it has stayed away too long."""

    def sources(self, tenant: str) -> tuple[SourceReading, ...]: ...
    def prepare_days(self, today: date) -> None:
        """Make room for the days from `today` on, where the database keeps each apart and they run short."""

    def size(self, tenant: str) -> int: ...


class LogReader(Protocol):
    """The log as a list of entries and as a tree. Indexes count from 0 and have no holes."""

    def size(self, tenant: str) -> int: ...
    def head(self, tenant: str) -> Head: ...
    def entries(self, tenant: str, first: int, last: int) -> Iterator[LogEntry]:
        """Yield the entries from `first` to `last`, both included, as far as the log goes, in bounded memory."""

    def entry(self, tenant: str, index: int) -> LogEntry | None: ...
    def tile(self, tenant: str, level: int, number: int, width: int) -> bytes:
        """Return the first `width` (1 to 256) hashes of a tile, 32 bytes each. Raises TileMissing."""

    def days(self, tenant: str) -> tuple[LogDay, ...]:
        """Return the days that have entries, in their order: each begins where the one before ends."""


class Opa(Protocol):
    def remember(
        self, tenant: str, keys: Sequence[tuple[str, str]], *, now: datetime, forget_before: datetime
    ) -> frozenset[tuple[str, str]]:
        """Return which decisions (OPA's id, the decision's) were not known; from now on they are."""

    def get(self, tenant: str, environment: str, instance: str) -> OpaInstance | None: ...
    def put(self, instance: OpaInstance) -> None: ...
    def page(self, tenant: str, *, after: str | None, limit: int) -> Page[OpaInstance]: ...


class SinkPositions(Protocol):
    def take(self, tenant: str, sink: str, *, owner: str, now: datetime, until: datetime) -> SinkPosition | None:
        """Return the position where `owner` holds the sink until `until` from now on, None where another does."""

    def move(self, tenant: str, sink: str, position: SinkPosition, *, owner: str, until: datetime) -> bool:
        """Keep the position. False, and nothing changed, where `owner` does not hold the sink any more."""


class AdminEvents(Protocol):
    def add(self, event: AdminEvent) -> None:
        """Append the event; its `seq` is given by the store."""

    def waiting(self, *, limit: int, tenant: str | None = None) -> tuple[AdminEvent, ...]:
        """Return events that are not in the log yet, the oldest first."""

    def placed(self, indexes: Mapping[int, int]) -> None:
        """Note the place in the log of each event, by its `seq`."""

    def page(self, tenant: str, *, after: int | None, limit: int) -> Page[AdminEvent]: ...


class Session(
    KeepingSession,
    ChangeSession,
    ActivationSession,
    RevocationSession,
    IdempotencySession,
    PostureSession,
    Protocol,
):
    """One transaction's view of the store."""

    @property
    def principals(self) -> Principals: ...
    @property
    def policies(self) -> Policies: ...
    @property
    def releases(self) -> Releases: ...
    @property
    def environments(self) -> Environments: ...
    @property
    def activations(self) -> Activations: ...
    @property
    def api_keys(self) -> ApiKeys: ...
    @property
    def blocked_subjects(self) -> BlockedSubjects: ...
    @property
    def agents(self) -> Agents: ...
    @property
    def decisions(self) -> DecisionLog: ...
    @property
    def decision_index(self) -> DecisionIndex: ...
    @property
    def rollups(self) -> Rollups: ...
    @property
    def log(self) -> LogReader: ...
    @property
    def opa(self) -> Opa: ...
    @property
    def sink_positions(self) -> SinkPositions: ...
    @property
    def admin_events(self) -> AdminEvents: ...
    @property
    def operations(self) -> OperationStore: ...
    @property
    def checkpoints(self) -> Checkpoints: ...
    @property
    def census(self) -> LogCensus: ...


class Store(Protocol):
    def read(self) -> AbstractContextManager[Session]: ...
    def write(self) -> AbstractContextManager[Session]: ...
    def scrub_keys(self) -> None:
        """Take what was left of destroyed keys out of the database's files, as far as the database lets us."""
