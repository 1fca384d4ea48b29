# SPDX-License-Identifier: Apache-2.0
"""From a prepared bundle to the policy a worker enforces: read, built and tried before it is put to work.

Everything here may fail and takes longer than a request may wait; it runs in a thread, beside the event loop that
serves them.
"""

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from policies.bundle.members import guard_data, rego_modules
from policies.contracts.decision import Mode, Outcome
from policies.contracts.record import redaction_key
from policies.contracts.request import EvaluationRequest, RequestFacts, Resource, Subject
from policies.engines.casbin import CasbinAccess
from policies.engines.embedded_rego import EmbeddedGuard
from policies.engines.opa import OpaGuard
from policies.engines.ports import GuardEngine
from policies.engines.reused_guard import reusing
from policies.evaluation.canaries import run_canaries
from policies.evaluation.screening import Screening
from policies.evaluation.tool_calls import CallRules
from policies.redaction.engine import Redaction
from policies.scanning.kept import KeptDatabases
from proxy_addons.core.active import ActivePolicy
from proxy_addons.core.identity_certificates import CertificateReader
from proxy_addons.node.messages import OfPolicy
from proxy_addons.prepared_policy import PreparedPolicy, read_prepared
from proxy_addons.secret_files import read_hex_key
from proxy_addons.settings import NodeSettings

# A guard that takes longer holds the answer up for longer than its reader notices; late is refused.
_GUARD_DEADLINE_S: Final = 0.25
# A canary shows what is answered, and not how fast: right after its start, an OPA on a busy machine takes its time.
_CANARY_DEADLINE_S: Final = 5.0
_CANARY: Final = Subject(type="service", id="gatehouse.canary@nowhere")


class CanaryAllowed(Exception):
    """The access engine allowed somebody whom no grant names: it does not enforce what the snapshot says."""


def load_policy(order: OfPolicy, settings: NodeSettings) -> ActivePolicy:
    """Return the policy of the bundle at `order.path`, which the node has verified and prepared, ready to decide.

    Raises PreparedAltered, NotCompiled, CanaryAllowed, CanaryFailed, OSError, or what an engine raises for rules that
    it cannot run.
    """
    prepared = read_prepared(Path(order.path))
    snapshot = prepared.snapshot
    # The node has compiled them. To compile them here would take the processor from requests.
    kept = KeptDatabases(Path(order.patterns), compiles=False)
    policy = ActivePolicy(
        serial=prepared.serial,
        manifest_revision=prepared.manifest_revision,
        snapshot=snapshot,
        etag=prepared.etag,
        access=CasbinAccess(snapshot, prepared.grants),
        guard=_guard(prepared, order),
        routes={(route.method, route.path): route for route in snapshot.routes},
        redaction=Redaction.of(
            snapshot.redactions,
            hash_key=redaction_key(read_hex_key(settings.pseudonym_key_file), tenant=settings.tenant),
            kept=kept,
        ),
        calls=CallRules.of(snapshot.tools),
        models=prepared.models,
        screening=Screening.of(snapshot.screening, kept=kept),
        certificates=CertificateReader([rule for policy in snapshot.identity for rule in policy.certificates]),
    )
    try:
        if not prepared.allows_everybody:  # such a grant names the canary too
            _try(policy)
        if snapshot.canaries:
            # The worker's loop serves requests meanwhile: this thread has one of its own.
            asyncio.run(_try_canaries(policy, order, kept))
    except BaseException:
        asyncio.run(policy.guard.close())
        raise
    return policy


async def _try_canaries(policy: ActivePolicy, order: OfPolicy, kept: KeptDatabases) -> None:
    """Ask what the release says must be so. Raises CanaryFailed.

    A connection to OPA belongs to the loop it was made on, so that this one asks the same server over its own.
    """
    guard = _opa(policy, order, deadline_s=_CANARY_DEADLINE_S) if order.guard_socket else policy.guard
    try:
        await run_canaries(
            policy.snapshot,
            access=policy.access,
            guard=guard,
            redaction=Redaction.of(policy.snapshot.redactions, kept=kept),
            screening=policy.screening,
        )
    finally:
        if guard is not policy.guard:
            await guard.close()


def _guard(prepared: PreparedPolicy, order: OfPolicy) -> GuardEngine:
    snapshot = prepared.snapshot
    if order.guard_socket:
        opa = _opa(prepared, order, deadline_s=_GUARD_DEADLINE_S)
        return reusing(opa, snapshot, is_there=opa.is_connected)
    embedded = EmbeddedGuard(
        snapshot, modules=rego_modules(snapshot), data=guard_data(snapshot), deadline_s=_GUARD_DEADLINE_S
    )
    return reusing(embedded, snapshot)


def _opa(of: PreparedPolicy | ActivePolicy, order: OfPolicy, *, deadline_s: float) -> OpaGuard:
    return OpaGuard(
        of.snapshot, manifest_revision=of.manifest_revision, address=order.guard_socket, deadline_s=deadline_s
    )


def _try(policy: ActivePolicy) -> None:
    """Ask for somebody nobody knows. pycasbin allows everything in several ways of being built wrong."""
    snapshot = policy.snapshot
    request = EvaluationRequest(
        request_id="canary",
        tenant=snapshot.tenant,
        environment=snapshot.environment,
        subject=_CANARY,
        action=snapshot.routes[0].operation if snapshot.routes else "canary",
        resource=Resource(type="model", id="canary"),
        facts=RequestFacts(),
        at=datetime.now(UTC),
    )
    answers = policy.access.evaluate(request).answers
    if any(answer.mode is Mode.ENFORCE and answer.outcome is Outcome.ALLOW for answer in answers):
        raise CanaryAllowed("the access engine allows a subject that no grant names")
