# SPDX-License-Identifier: Apache-2.0
"""Roles of roles."""

from policies.importing.casbin_rows import RoleRow, deepest, members_of


def roles(*pairs: str) -> list[RoleRow]:
    return [RoleRow(line=1, member=pair.split()[0], role=pair.split()[1]) for pair in pairs]


def test_who_has_a_role_has_those_above_it_and_a_role_has_itself():
    assert members_of(roles("alice a", "a b", "bob b")) == {"a": {"a", "alice"}, "b": {"a", "alice", "b", "bob"}}


def test_how_deep_roles_are():
    assert deepest([]) == 0
    assert deepest(roles("alice a", "a b", "bob b")) == 2
    assert deepest(roles("a b", "b a")) == 3
