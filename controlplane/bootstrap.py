# SPDX-License-Identifier: Apache-2.0
"""Put the control plane together: the one place where ports meet what implements them."""

import hashlib
import hmac
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from controlplane.authz.matrix import load_matrix
from controlplane.decision_point import DecisionPoint
from controlplane.identifiers import Clock, NewId, new_ulid, utc_now
from controlplane.metrics import Metrics
from controlplane.services.access import Access
from controlplane.services.activation_views import Views
from controlplane.services.activations import Activations
from controlplane.services.admin_events import AdminEvents
from controlplane.services.aggregates import Aggregates
from controlplane.services.api_keys import ApiKeys, publish_credentials
from controlplane.services.approvals import Approvals
from controlplane.services.archives import Archives
from controlplane.services.blocked_subjects import BlockedSubjects
from controlplane.services.conducting import Conducting
from controlplane.services.content import Content
from controlplane.services.cursors import Cursors
from controlplane.services.decisions import Decisions
from controlplane.services.environment_documents import EnvironmentDocuments
from controlplane.services.erasures import Erasures
from controlplane.services.evidence import EvidencePacks, EvidenceWork
from controlplane.services.exports import Exports, ExportWork
from controlplane.services.feeds import Feeds
from controlplane.services.fleet import Fleet
from controlplane.services.gates import Gates
from controlplane.services.hypotheses import Hypotheses
from controlplane.services.idempotency import Idempotency
from controlplane.services.in_force import CurrentPolicy
from controlplane.services.ingestion import Ingestion
from controlplane.services.jobs import Jobs
from controlplane.services.key_rotation import KeyRotation
from controlplane.services.legal_holds import LegalHolds
from controlplane.services.lookups import Lookups
from controlplane.services.opa_intake import OpaIntake
from controlplane.services.operation import OperationKind
from controlplane.services.operations import Operations
from controlplane.services.payloads import PayloadKeys
from controlplane.services.point_in_time import PointInTime
from controlplane.services.policies import Policies
from controlplane.services.ports import Store
from controlplane.services.promotions import Promotions
from controlplane.services.proofs import Proofs
from controlplane.services.records import ReceivedRecord
from controlplane.services.redactions import Redactions
from controlplane.services.releases import Releases
from controlplane.services.replays import Replays, ReplayWork
from controlplane.services.result_files import ResultFiles
from controlplane.services.retention import Retention
from controlplane.services.revocations import Revocations
from controlplane.services.rollout_steps import Steps
from controlplane.services.rule_book import RuleBook
from controlplane.services.sequencing import Sequencer
from controlplane.services.tails import Tails
from controlplane.services.tenancy import Tenancy
from controlplane.settings import WITHOUT_LOG_KEY, LogSettings, StoreSettings
from controlplane.signing import BundlePublisher
from policies.bundle.jws import load_signing_key


class Bell:
    """Rung after something was published, so that waiting feeds look at once instead of at their next poll."""

    def __init__(self) -> None:
        self._listeners: list[Callable[[], None]] = []

    def listen(self, listener: Callable[[], None]) -> None:
        """Call `listener`, from any thread, at every ring. It MUST return at once."""
        self._listeners.append(listener)

    def ring(self) -> None:
        for listener in self._listeners:
            listener()


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlPlane:
    """Every use case, ready to be served, and what counts them."""

    store: Store
    access: Access
    idempotency: Idempotency
    policies: Policies
    redactions: Redactions
    releases: Releases
    activations: Activations
    conducting: Conducting
    approvals: Approvals
    gates: Gates
    promotions: Promotions
    tenancy: Tenancy
    rule_book: RuleBook
    decisions: Decisions
    aggregates: Aggregates
    tails: Tails
    ingestion: Ingestion
    fleet: Fleet
    opa_intake: OpaIntake
    api_keys: ApiKeys
    blocked_subjects: BlockedSubjects
    revocations: Revocations
    key_rotation: KeyRotation
    admin_events: AdminEvents
    proofs: Proofs
    payload_keys: PayloadKeys
    erasures: Erasures
    legal_holds: LegalHolds
    retention: Retention
    lookups: Lookups
    content: Content
    environment_documents: EnvironmentDocuments
    feeds: Feeds
    cursors: Cursors
    operations: Operations
    exports: Exports
    evidence_packs: EvidencePacks
    replays: Replays
    hypotheses: Hypotheses
    point_in_time: PointInTime
    jobs: Jobs
    decision_point: DecisionPoint
    bell: Bell
    asked_bell: Bell
    stored_bell: Bell
    metrics: Metrics
    new_id: NewId
    sequencer: Sequencer | None


def assemble(
    settings: StoreSettings,
    store: Store,
    *,
    ingestion_store: Store | None = None,
    upkeep_store: Store | None = None,
    sequencer: Sequencer | None = None,
    log: LogSettings = WITHOUT_LOG_KEY,
    clock: Clock = utc_now,
    new_id: NewId = new_ulid,
) -> ControlPlane:
    """Return the control plane over `store`; records arrive by `ingestion_store` where there is one, and what is kept
    of them goes by `upkeep_store`.

    `log` says by which keys its archives verify.

    Raises ValueError where a signing key is none.
    """
    records_store, keeping_store = ingestion_store or store, upkeep_store or store
    bell = Bell()
    earlier = settings.earlier_signing_key
    publisher = BundlePublisher(
        signer=load_signing_key(settings.signing_key, key_id=settings.signing_key_id),
        earlier=None if earlier is None else load_signing_key(earlier, key_id=settings.earlier_signing_key_id),
        pepper=settings.key_pepper,
        clock=clock,
    )
    environment_documents = EnvironmentDocuments(store=store, publisher=publisher, clock=clock)
    metrics = Metrics()
    steps = Steps(
        publisher=publisher,
        clock=clock,
        new_id=new_id,
        publish=environment_documents.publish,
        told=metrics.activation_moved,
    )
    activations = Activations(
        store=store, steps=steps, views=Views(clock=clock), clock=clock, new_id=new_id, published=bell.ring
    )
    asked_bell = Bell()
    files = ResultFiles(folder=settings.export_dir, max_bytes=settings.export_max_bytes)
    operations = Operations(store=store, files=files, clock=clock, new_id=new_id, asked=asked_bell.ring)
    archives = Archives(store=store, clock=clock, keys=log.verifiers)
    decisions = Decisions(store=store, pseudonym_key=settings.pseudonym_key)
    ingestion = Ingestion(store=records_store, clock=clock)
    stored_bell = Bell()

    def keep(tenant: str, entries: Sequence[ReceivedRecord]) -> None:
        ingestion.keep(tenant, entries)
        stored_bell.ring()

    decision_point = DecisionPoint(
        in_force=CurrentPolicy(store=store),
        rego=settings.rego,
        keep=keep,
        clock=clock,
        new_id=new_id,
        pseudonym_key=settings.pseudonym_key,
    )
    bell.listen(decision_point.ring)
    access = Access(store=store, matrix=load_matrix(), clock=clock, new_id=new_id)
    releases = Releases(store=store, publisher=publisher, clock=clock, new_id=new_id, rego=settings.rego)
    revocations = Revocations(
        store=store,
        publisher=publisher,
        clock=clock,
        new_id=new_id,
        publish_credentials=lambda session, *scope: publish_credentials(session, publisher, *scope),
        published=bell.ring,
    )
    api_keys = ApiKeys(
        store=store,
        publisher=publisher,
        clock=clock,
        new_id=new_id,
        published=bell.ring,
        revoked=revocations.publish,
    )
    return ControlPlane(
        store=store,
        access=access,
        idempotency=Idempotency(
            store=store,
            clock=clock,
            new_id=new_id,
            secret=hmac.new(settings.key_pepper, b"gatehouse idempotency 1", hashlib.sha256).digest(),
        ),
        tenancy=Tenancy(
            store=store,
            access=access,
            clock=clock,
            publish=(api_keys.publish, revocations.begin),
            published=bell.ring,
        ),
        policies=Policies(store=store, clock=clock, rego=settings.rego),
        redactions=Redactions(store=store),
        releases=releases,
        activations=activations,
        gates=Gates(store=store, clock=clock, new_id=new_id, pseudonym_key=settings.pseudonym_key),
        promotions=Promotions(store=store, releases=releases),
        conducting=Conducting(store=store, steps=steps, clock=clock, published=bell.ring),
        approvals=Approvals(store=store, clock=clock, new_id=new_id),
        rule_book=RuleBook(store=store, clock=clock, publish=environment_documents.publish, published=bell.ring),
        decisions=decisions,
        ingestion=ingestion,
        aggregates=Aggregates(store=store),
        tails=Tails(store=store, decisions=decisions),
        fleet=Fleet(store=store, records_store=records_store, activations=activations, clock=clock, new_id=new_id),
        opa_intake=OpaIntake(store=records_store, serving_store=store, clock=clock, new_id=new_id),
        api_keys=api_keys,
        blocked_subjects=BlockedSubjects(
            store=store,
            clock=clock,
            blocked=revocations.publish,
            unblocked=revocations.publish_both,
            published=bell.ring,
        ),
        revocations=revocations,
        key_rotation=KeyRotation(
            store=store,
            steps=steps,
            revocations=revocations,
            documents=environment_documents,
            clock=clock,
            published=bell.ring,
        ),
        admin_events=AdminEvents(store=store),
        proofs=Proofs(store=store),
        payload_keys=PayloadKeys(store=keeping_store, clock=clock),
        erasures=Erasures(store=keeping_store, clock=clock, new_id=new_id, pseudonym_key=settings.pseudonym_key),
        retention=Retention(store=keeping_store, clock=clock, new_id=new_id),
        lookups=Lookups(store=store, clock=clock, pseudonym_key=settings.pseudonym_key),
        content=Content(store=store, clock=clock, pseudonym_key=settings.pseudonym_key),
        legal_holds=LegalHolds(store=store, clock=clock, new_id=new_id, pseudonym_key=settings.pseudonym_key),
        environment_documents=environment_documents,
        feeds=Feeds(store=store, documents=environment_documents, publisher=publisher),
        # A key of its own, so that a cursor can never be taken for anything else the pepper vouches for.
        cursors=Cursors(hmac.new(settings.key_pepper, b"gatehouse cursor 1", hashlib.sha256).digest()),
        operations=operations,
        point_in_time=PointInTime(store=store, rego=settings.rego),
        evidence_packs=EvidencePacks(store=store, operations=operations),
        exports=Exports(store=store, operations=operations, decisions=decisions),
        hypotheses=Hypotheses(store=store, rego=settings.rego, clock=clock),
        replays=Replays(store=store, operations=operations, decisions=decisions),
        jobs=Jobs(
            store=store,
            files=files,
            work={
                OperationKind.EXPORT: ExportWork(store=store, archives=archives),
                OperationKind.EVIDENCE_PACK: EvidenceWork(store=store, archives=archives),
                OperationKind.REPLAY: ReplayWork(store=store, rego=settings.rego),
            },
            clock=clock,
        ),
        decision_point=decision_point,
        bell=bell,
        asked_bell=asked_bell,
        stored_bell=stored_bell,
        metrics=metrics,
        new_id=new_id,
        sequencer=sequencer,
    )
