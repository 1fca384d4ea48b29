# SPDX-License-Identifier: Apache-2.0
from datetime import UTC, datetime

import pytest

from controlplane.services.errors import Forbidden
from controlplane.services.model import Principal, Role
from controlplane.services.scope import BOUND_ROLES, is_in_scope, require_scope


def _principal(environments: tuple[str, ...] | None) -> Principal:
    return Principal(
        tenant="default",
        id="prn_1",
        name="somebody",
        role=Role.APPROVER,
        created_at=datetime(2026, 11, 20, tzinfo=UTC),
        environments=environments,
    )


@pytest.mark.parametrize(("environments", "counts"), [(None, True), (("production",), True), (("staging",), False)])
def test_a_role_counts_where_its_principal_is_bound(environments: tuple[str, ...] | None, counts: bool) -> None:  # noqa: FBT001  # a row of the table
    assert is_in_scope(_principal(environments), "production") is counts


def test_elsewhere_it_is_told_where_it_counts() -> None:
    with pytest.raises(Forbidden, match="bound to dev, staging"):
        require_scope(_principal(("dev", "staging")), "production")


def test_roles_that_read_the_log_or_manage_the_tenant_are_not_bound() -> None:
    assert BOUND_ROLES.isdisjoint({Role.ADMIN, Role.AUDITOR, Role.INVESTIGATOR, Role.OPERATOR})
