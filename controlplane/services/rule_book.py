# SPDX-License-Identifier: Apache-2.0
"""Read and set the rules of environments."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from controlplane.identifiers import Clock
from controlplane.services.admin_log import note
from controlplane.services.environment_rules import EnvironmentRules, KeptRules
from controlplane.services.errors import Invalid, NotFound, Problem
from controlplane.services.model import Principal
from controlplane.services.ports import Session, Store
from controlplane.services.preconditions import IfMatch
from policies.contracts.codec import JSON


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleBook:
    """Reads and sets the rules of environments.

    `publish` signs the environment's document anew, within the transaction of the session it is given: nodes go by it.
    """

    store: Store
    clock: Clock
    publish: Callable[[Session, str, str], object]
    published: Callable[[], None]

    def get(self, actor: Principal, environment: str) -> KeptRules:
        with self.store.read() as session:
            if session.environments.get(actor.tenant, environment) is None:
                raise NotFound("environment-unknown", "There is no such environment.")
            return session.environment_rules.kept(actor.tenant, environment)

    def put(self, actor: Principal, environment: str, rules: EnvironmentRules, *, if_match: IfMatch) -> KeptRules:
        """Replace the rules. Raises Invalid where they demand what cannot be had."""
        with self.store.write() as session:
            # The lock of whoever activates: no activation is judged by half of a change of rules.
            if session.environments.lock(actor.tenant, environment) is None:
                raise NotFound("environment-unknown", "There is no such environment.")
            before = session.environment_rules.kept(actor.tenant, environment)
            if_match.check(str(before.version))
            _check(session, actor.tenant, environment, rules)
            kept = KeptRules(
                tenant=actor.tenant,
                environment=environment,
                version=before.version + 1,
                rules=rules,
                set_by=actor.id,
                set_at=self.clock(),
            )
            session.environment_rules.put(kept)
            self.publish(session, actor.tenant, environment)
            was, now = before.rules.to_json(), rules.to_json()
            changed: dict[str, JSON] = {
                name: {"from": was[name], "to": value} for name, value in now.items() if value != was[name]
            }
            note(
                session,
                actor,
                self.clock,
                action="environment_rules_set",
                target=environment,
                version=kept.version,
                changed=changed,
            )
        self.published()
        return kept


def _check(session: Session, tenant: str, environment: str, rules: EnvironmentRules) -> None:
    problems = tuple(_problems(session, tenant, environment, rules))
    if problems:
        raise Invalid("rules-invalid", "These rules cannot be kept by anybody.", problems=problems)


def _problems(session: Session, tenant: str, environment: str, rules: EnvironmentRules) -> Iterator[Problem]:
    source = rules.promote_from
    if source == environment or (source is not None and session.environments.get(tenant, source) is None):
        yield Problem(
            code="promotion-source-unknown",
            message="Releases are promoted from another environment that there is.",
            pointer="/promote_from",
            fix="Name another environment, or null.",
        )
    gates = (("gate_suite", rules.gate_suite), ("gate_must_refuse", rules.gate_must_refuse))
    for gate in (name for name, closed in gates if closed and source is None):
        yield Problem(
            code="gate-without-promotion",
            message="A gate is passed in the environment that promote_from names, and there is none.",
            pointer=f"/{gate}",
            fix="Give promote_from, or leave the gate out.",
        )
