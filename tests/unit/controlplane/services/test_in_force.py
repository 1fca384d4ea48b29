# SPDX-License-Identifier: Apache-2.0
import pytest
from sqlalchemy import text

from controlplane.services.in_force import CurrentPolicy
from tests.control_planes import make_plane, sqlite_url
from tests.evaluations import put_to_work

SCOPE = ("default", "production")


@pytest.fixture
def under_test(tmp_path):
    made = make_plane(sqlite_url(tmp_path))
    put_to_work(made)
    yield made
    made.store.close()


def test_it_reads_what_was_put_to_work(under_test):
    in_force = CurrentPolicy(store=under_test.store)
    serial = in_force.heads()[SCOPE][0]
    assert serial == 1
    assert in_force.snapshot(SCOPE, serial).revision == under_test.release()["revision"]
    assert in_force.blocked(SCOPE) == frozenset()
    under_test.call("PUT", "/v1/blocked-subjects/user:bob?environment=production", "admin")
    assert in_force.blocked(SCOPE) == {"user:bob"}


@pytest.mark.parametrize("serial", [0, 2])
def test_a_serial_that_was_never_taken_is_nothing(under_test, serial):
    with pytest.raises(LookupError):
        CurrentPolicy(store=under_test.store).snapshot(SCOPE, serial)


def test_a_snapshot_that_was_altered_where_it_is_kept_is_refused(under_test):
    with under_test.store._engine.begin() as connection:
        kept = connection.execute(text("SELECT snapshot FROM releases")).scalar_one()
        altered = bytes(kept).replace(b"group:staff", b"user:mallet")
        assert altered != bytes(kept)
        connection.execute(text("UPDATE releases SET snapshot = :altered"), {"altered": altered})
    with pytest.raises(ValueError, match="not the one that was put to work"):
        CurrentPolicy(store=under_test.store).snapshot(SCOPE, 1)
