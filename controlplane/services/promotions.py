# SPDX-License-Identifier: Apache-2.0
"""From one environment to another: the same pins, once they were in force and passed the gates there."""

from collections.abc import Mapping
from dataclasses import dataclass

from controlplane.services.environment_rules import EnvironmentRules
from controlplane.services.errors import Conflict, Problem
from controlplane.services.gate import Gate
from controlplane.services.model import Principal, Release
from controlplane.services.ports import Session, Store
from controlplane.services.release_lookup import release_of
from controlplane.services.releases import Releases


@dataclass(frozen=True, slots=True, kw_only=True)
class Promotions:
    """Makes releases of what another environment has."""

    store: Store
    releases: Releases

    def promote(
        self, actor: Principal, policy_set: str, release_id: str, *, environment: str, untested_reason: str
    ) -> Release:
        """Return a release of the same pins for `environment`. It is approved and activated there like any other."""
        with self.store.read() as session:
            source = release_of(session, actor, policy_set, release_id)
        if source.environment == environment:
            raise Conflict("environment-same", f"The release is for {environment!r} already.")
        return self.releases.make(
            actor,
            policy_set,
            environment=environment,
            description=source.description,
            pins=dict(source.policies),
            untested_reason=untested_reason or source.untested_reason,
            promoted_from=source.id,
        )


def require_promoted(session: Session, release: Release, rules: EnvironmentRules) -> None:
    """Raise Conflict unless the pins of `release` did what `rules` ask for in the environment they name."""
    if rules.promote_from is None:
        return
    proven = session.gates.enforced(release.tenant, rules.promote_from, release.policies)
    if not proven:
        raise Conflict(
            "promotion-required",
            f"These revisions were never enforced by every worker of {rules.promote_from}: activate them there first.",
        )
    wanted: Mapping[Gate, bool] = {Gate.SUITE: rules.gate_suite, Gate.MUST_REFUSE: rules.gate_must_refuse}
    passed = session.gates.passed(release.tenant, proven)
    missing = [gate for gate, asked in wanted.items() if asked and gate not in passed]
    if missing:
        raise Conflict(
            "gate-missing",
            f"In {rules.promote_from} no release of these revisions passed {' and '.join(missing)}.",
            problems=tuple(Problem(code=gate.value, message="No evidence of it is kept.") for gate in missing),
        )
