# SPDX-License-Identifier: Apache-2.0
"""Who belongs to which groups, turned around once for each snapshot so that a request costs one dictionary lookup."""

from collections.abc import Mapping

from policies.contracts.request import Subject
from policies.contracts.snapshot import PolicySnapshot
from policies.engines.per_snapshot import per_snapshot


def groups_of(snapshot: PolicySnapshot, subject: Subject) -> tuple[str, ...]:
    """Return the names of the groups of `subject`, sorted: those that list it and those its issuer vouches for."""
    listed = groups_by_member(snapshot).get(str(subject), ())
    return tuple(sorted({*listed, *subject.groups})) if subject.groups else listed


def selectors_of(snapshot: PolicySnapshot, subject: Subject) -> tuple[str, ...]:
    """Return every selector of a policy document that means `subject`: itself, its groups and `*`."""
    return (str(subject), *(f"group:{name}" for name in groups_of(snapshot, subject)), "*")


@per_snapshot
def groups_by_member(snapshot: PolicySnapshot) -> Mapping[str, tuple[str, ...]]:
    """Return the names of the groups that list a member, sorted, by the member."""
    groups: dict[str, list[str]] = {}
    for name in sorted(snapshot.groups):
        for member in dict.fromkeys(snapshot.groups[name]):
            groups.setdefault(member, []).append(name)
    return {member: tuple(names) for member, names in groups.items()}
