# SPDX-License-Identifier: Apache-2.0
import pytest

from controlplane.authz.matrix import load_matrix
from controlplane.authz.permissions import Permission
from controlplane.services.model import Role


def test_every_permission_is_granted_to_somebody_and_none_to_all():
    matrix = load_matrix()
    for permission in Permission:
        holders = {role for role in Role if permission in matrix[role]}
        assert holders
        assert holders != set(Role)


def test_the_auditor_writes_nothing_and_nobody_both_writes_and_approves():
    matrix = load_matrix()
    # Trying redaction and asking for an explanation store nothing; an export and a replay are ways to read.
    reading = matrix[Role.AUDITOR] - {
        Permission.REDACTIONS_TEST,
        Permission.EXPLANATIONS_ASK,
        Permission.EXPORTS_WRITE,
        Permission.REPLAYS_WRITE,
        Permission.OPERATIONS_WRITE,
    }
    assert all(permission.endswith(":read") for permission in reading)
    assert not any({Permission.RELEASES_WRITE, Permission.ACTIVATIONS_WRITE} <= matrix[role] for role in Role)


def test_no_rows_allow_nothing(tmp_path):
    empty = tmp_path / "policy.csv"
    empty.write_text("")
    assert all(not permissions for permissions in load_matrix(empty).values())


@pytest.mark.parametrize(
    "row",
    [
        pytest.param("p, admin, policies:read, Deny", id="an effect Casbin would ignore"),
        pytest.param("p, admin, policies:read", id="a short row"),
        pytest.param("p, king, policies:read, allow", id="an unknown role"),
        pytest.param("p, admin, policies:*, allow", id="an unknown permission"),
        pytest.param("g, author, admin", id="a role of a role"),
        pytest.param("", id="an empty row"),
    ],
)
def test_a_row_casbin_would_misread_stops_the_start(tmp_path, row):
    policy = tmp_path / "policy.csv"
    policy.write_text(f"p, admin, policies:read, allow\n{row}\n")
    with pytest.raises(ValueError, match=r"policy\.csv:2"):
        load_matrix(policy)


def test_a_deny_wins(tmp_path):
    policy = tmp_path / "policy.csv"
    policy.write_text("p, admin, policies:read, allow\np, admin, policies:read, deny\n")
    assert not load_matrix(policy)[Role.ADMIN]
