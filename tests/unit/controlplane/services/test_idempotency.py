# SPDX-License-Identifier: Apache-2.0
"""What becomes of a key when nobody, or somebody else, finishes the try."""

import pytest

from controlplane.services.errors import StoreUnavailable
from controlplane.services.idempotency import Kept
from controlplane.services.idempotency_ports import Claim
from controlplane.services.model import Principal, Role
from tests.control_planes import make_plane, sqlite_url
from tests.records import NOON

ADMIN = Principal(tenant="default", id="admin", name="admin", role=Role.ADMIN, created_at=NOON)


@pytest.fixture
def under_test(tmp_path):
    return make_plane(sqlite_url(tmp_path))


def begin(under_test, *parts):
    return under_test.plane.idempotency.begin(ADMIN, key="k", route="/v1/x", parts=parts or (b"path", b"", b"body"))


def test_a_try_that_outlived_its_lease_keeps_no_answer_over_the_next(under_test):
    late = begin(under_test)
    under_test.clock.turn(120)
    second = begin(under_test)
    assert isinstance(second, Claim)
    under_test.plane.idempotency.settle(late, 201, b"late")
    under_test.plane.idempotency.settle(second, 201, b"second")
    under_test.plane.idempotency.settle(late, 500, b"late")
    assert begin(under_test) == Kept(status=201, content=b"second")


def test_parts_are_told_apart(under_test):
    under_test.plane.idempotency.settle(begin(under_test, b"ab", b"c"), 200, b"")
    with pytest.raises(Exception, match="idempotency-key-reused"):
        begin(under_test, b"a", b"bc")


@pytest.mark.parametrize(("status", "kept"), [(200, True), (409, True), (412, False), (429, False), (503, False)])
def test_what_is_kept(under_test, status, kept):
    under_test.plane.idempotency.settle(begin(under_test), status, b"x")
    assert isinstance(begin(under_test), Kept if kept else Claim)


def test_keys_whose_time_is_over_are_forgotten(under_test):
    under_test.plane.idempotency.settle(begin(under_test), 200, b"x")
    under_test.clock.turn(24 * 3600)
    under_test.plane.idempotency.prune()
    with under_test.store.write() as session:
        assert session.idempotency_keys.prune(now=under_test.clock()) == 0
    assert isinstance(begin(under_test), Claim)


def test_a_store_that_fails_after_the_effect_does_not_fail_the_answer(under_test, monkeypatch):
    claim = begin(under_test)
    with monkeypatch.context() as failure:

        def fail(*_):
            raise StoreUnavailable("locked")

        failure.setattr(type(under_test.store), "write", fail)
        under_test.plane.idempotency.settle(claim, 201, b"x")
    with pytest.raises(Exception, match="idempotency-in-flight"):
        begin(under_test)
