# SPDX-License-Identifier: Apache-2.0
"""The proxy nodes: what each last said of itself."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from controlplane.identifiers import Clock, NewId
from controlplane.services.acknowledgements import LIVE_FOR
from controlplane.services.activations import Activations
from controlplane.services.errors import Forbidden, NotFound
from controlplane.services.findings import take_results, tell_of_findings
from controlplane.services.fleet_view import Member, members
from controlplane.services.ingestion import tell_of_gaps
from controlplane.services.model import Agent, Page, Principal
from controlplane.services.ports import Store
from controlplane.services.posture import Finding, FindingFilter, PostureResult
from controlplane.services.records import Gap, SourceClaim, SourceReading
from controlplane.services.scope import require_scope


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentReading:
    """An environment in numbers: what is in force, how many nodes ever reported, and how many of them fell silent.

    `findings` are those that are open, by check.
    """

    tenant: str
    environment: str
    serial: int
    nodes: int
    stale_nodes: int
    findings: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    store: Store
    records_store: Store
    activations: Activations
    clock: Clock
    new_id: NewId

    def report(
        self,
        actor: Principal,
        agent: Agent,
        *,
        claims: Sequence[SourceClaim] = (),
        posture: Sequence[PostureResult] = (),
    ) -> tuple[Gap, ...]:
        """Keep what a node says of itself. A node belongs to the principal that reported it first.

        `posture` is what its checks of itself came to. `claims` are what its processes numbered; what of it has stayed
        away for too long is written down and returned: it is missing.
        """
        require_scope(actor, agent.environment)
        with self.store.write() as session:
            if session.environments.get(actor.tenant, agent.environment) is None:
                raise NotFound("environment-unknown", "There is no such environment.")
            known = session.agents.get(actor.tenant, agent.environment, agent.id)
            if known is not None and known.reported_by != actor.id:
                raise Forbidden("agent-of-another", "Another principal reports for this node.")
            others = session.agents.of_environment(actor.tenant, agent.environment)
            nobody_was_heard = not any(map(self.is_live, others))
            was_heard = known is not None and self.is_live(known)
            session.agents.put(replace(agent, tenant=actor.tenant, reported_by=actor.id, reported_at=self.clock()))
            # Behind the node's row, which was just written: two reports at once do not open one finding twice.
            opened = take_results(session, actor, agent, posture, clock=self.clock, new_id=self.new_id)
            self.activations.acknowledge(session, agent)
        tell_of_findings(opened)
        # In a transaction of its own: it may wait for the log's lock, and an acknowledgement must not.
        with self.records_store.write() as session:
            # While this server, or the node, could not be reached, records could not arrive: what waits begins anew.
            if nobody_was_heard:
                session.decisions.forget_claims(actor.tenant, None)
            elif not was_heard:
                session.decisions.forget_claims(actor.tenant, {claim.source_id for claim in claims})
            gaps = session.decisions.claim(actor.tenant, claims, at=self.clock())
        tell_of_gaps(actor.tenant, gaps)
        return gaps

    def page(self, actor: Principal, *, after: str | None, limit: int) -> Page[Agent]:
        with self.store.read() as session:
            return session.agents.page(actor.tenant, after=after, limit=limit)

    def get(self, actor: Principal, environment: str, agent_id: str) -> Agent:
        with self.store.read() as session:
            agent = session.agents.get(actor.tenant, environment, agent_id)
        if agent is None:
            raise NotFound("agent-unknown", "No such node has ever reported.")
        return agent

    def members(self, actor: Principal) -> tuple[Member, ...]:
        """Return every node and every stock OPA, with what it should enforce and what it does."""
        with self.store.read() as session:
            return members(session, actor.tenant, now=self.clock())

    def findings(self, actor: Principal, wanted: FindingFilter, *, after: str | None, limit: int) -> Page[Finding]:
        with self.store.read() as session:
            return session.posture.page(actor.tenant, wanted, after=after, limit=limit)

    def sources(self, actor: Principal) -> tuple[SourceReading, ...]:
        """Return what the log knows of each source of records, and how many of its numbers are missing."""
        with self.store.read() as session:
            return session.decisions.sources(actor.tenant)

    def readings(self) -> tuple[EnvironmentReading, ...]:
        """Return the numbers of every environment of every tenant: for whoever runs all of it."""
        with self.store.read() as session:
            heads = session.environments.heads()
            nodes = {key: session.agents.of_environment(*key) for key in heads}
            found = Counter((each.tenant, each.environment, each.check) for each in session.posture.open())
        return tuple(
            EnvironmentReading(
                tenant=tenant,
                environment=environment,
                serial=serial,
                nodes=len(nodes[tenant, environment]),
                stale_nodes=sum(not self.is_live(agent) for agent in nodes[tenant, environment]),
                findings={check: count for (*where, check), count in found.items() if where == [tenant, environment]},
            )
            for (tenant, environment), (serial, *_) in sorted(heads.items())
        )

    def is_live(self, agent: Agent) -> bool:
        return agent.reported_at >= self.clock() - LIVE_FOR
