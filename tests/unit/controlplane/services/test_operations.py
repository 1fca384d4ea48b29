# SPDX-License-Identifier: Apache-2.0
"""Who may see a job, and how many there may be."""

import pytest

from controlplane.services.errors import Conflict, NotFound
from controlplane.services.model import Principal, Role
from controlplane.services.operation import OperationKind
from tests.control_planes import make_plane, sqlite_url
from tests.records import NOON


@pytest.fixture
def under_test(tmp_path):
    return make_plane(sqlite_url(tmp_path))


def principal(name: str, role: Role, tenant: str = "default") -> Principal:
    return Principal(tenant=tenant, id=name, name=name, role=role, created_at=NOON)


def begin(under_test, actor):
    with under_test.store.write() as session:
        return under_test.plane.operations.begin(session, actor, OperationKind.EXPORT, {}, action="export_requested")


@pytest.mark.parametrize(
    ("actor", "sees"),
    [
        pytest.param(principal("owner", Role.AUTHOR), True, id="its owner"),
        pytest.param(principal("another", Role.AUDITOR), True, id="an auditor"),
        pytest.param(principal("another", Role.AUTHOR), False, id="somebody else"),
        pytest.param(principal("owner", Role.AUDITOR, "other"), False, id="another tenant"),
    ],
)
def test_a_job_is_seen_by_its_owner_and_by_auditors(under_test, actor, sees):
    made = begin(under_test, principal("owner", Role.AUTHOR))
    operations = under_test.plane.operations
    if sees:
        assert operations.get(actor, made.id) == made
        assert operations.cancel(actor, made.id).cancel_requested
        return
    for ask in (
        lambda: operations.get(actor, made.id),
        lambda: operations.cancel(actor, made.id),
        lambda: operations.fetch(actor, OperationKind.EXPORT, made.id),
    ):
        with pytest.raises(NotFound, match="operation-unknown"):
            ask()


def test_one_principal_has_a_bounded_number_of_jobs_that_wait(under_test):
    owner = principal("owner", Role.AUDITOR)
    for _ in range(10):
        begin(under_test, owner)
    with pytest.raises(Conflict, match="too-many-operations"):
        begin(under_test, owner)
    assert begin(under_test, principal("another", Role.AUDITOR))


def test_a_result_is_fetched_as_what_it_is_only(under_test):
    owner = principal("owner", Role.AUDITOR)
    made = begin(under_test, owner)
    with pytest.raises(Conflict, match="result-not-there"):
        under_test.plane.operations.fetch(owner, OperationKind.EXPORT, made.id)
    with pytest.raises(NotFound, match="operation-unknown"):
        under_test.plane.operations.fetch(owner, OperationKind.EVIDENCE_PACK, made.id)
