# SPDX-License-Identifier: Apache-2.0
"""To which upstream a request goes, and which ones a snapshot names."""

from policies.contracts.snapshot import PolicySnapshot
from policies.contracts.upstreams import DEFAULT, UpstreamRule

_ANY = "*"


def upstream_for(snapshot: PolicySnapshot, *, operation: str, model: str | None) -> str:
    """Return the name of the upstream of a request; `model` is None where it names none."""
    for policy in snapshot.upstreams:
        for rule in policy.upstreams:
            if selects(rule, operation, model):
                return rule.name
    return DEFAULT


def upstreams_named(snapshot: PolicySnapshot) -> frozenset[str]:
    return frozenset(rule.name for policy in snapshot.upstreams for rule in policy.upstreams)


def selects(rule: UpstreamRule, operation: str, model: str | None) -> bool:
    """Return whether `rule` is for a request. One that names models is for none that names no model."""
    if rule.operations and operation not in rule.operations and _ANY not in rule.operations:
        return False
    return not rule.models or (model is not None and (model in rule.models or _ANY in rule.models))
