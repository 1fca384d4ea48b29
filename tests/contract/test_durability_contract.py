# SPDX-License-Identifier: Apache-2.0
"""What is acknowledged is committed, and what is committed was asked to be synced: on both databases."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from unittest import mock

import pytest
from sqlalchemy import Engine, text

from controlplane.store.decision_log import SqlDecisionLog
from controlplane.store.durability import undurable
from controlplane.store.engine import open_database
from tests.control_planes import PlaneUnderTest, make_plane
from tests.databases import postgres_binaries
from tests.log_entries import check_log, told
from tests.records import make_record
from tests.soak.durable_postgres import durable_postgres


@pytest.fixture
def served(engine: Engine) -> Iterator[PlaneUnderTest]:
    made = make_plane(engine.url.render_as_string(hide_password=False))
    yield made
    made.store.close()


@contextmanager
def committing(served: PlaneUnderTest, commit: Callable[[Callable[[], None]], None]) -> Iterator[None]:
    """Let `commit` stand between the transaction that appends and the driver's commit, which it is given."""
    dialect, append = served.store._engine.dialect, SqlDecisionLog.append_batches
    real = dialect.do_commit
    appended: list[bool] = []

    def appending(*arguments, **named):
        appended.append(True)
        return append(*arguments, **named)

    def do_commit(connection) -> None:
        if appended:
            appended.clear()
            commit(lambda: real(connection))
        else:
            real(connection)  # who asks was looked up before

    with (
        mock.patch.object(SqlDecisionLog, "append_batches", appending),
        mock.patch.object(dialect, "do_commit", do_commit),
    ):
        yield


def batch(*numbers: int) -> bytes:
    return b"".join(make_record(seq=seq).to_line() for seq in numbers)


def test_a_commit_that_fails_is_no_answer_and_stores_nothing(served, engine):
    assert served.ingest_bytes(batch(1)).json["stored"] == 1
    before = told(served.store)

    def fails(_: Callable[[], None]) -> None:
        raise engine.dialect.loaded_dbapi.OperationalError("disk I/O error")

    with committing(served, fails):
        answer = served.ingest_bytes(batch(2, 3))
    assert (answer.status_code, answer.json["code"]) == (503, "store-unavailable")
    assert "disk" not in answer.text
    assert told(served.store) == before
    check_log(served.store, engine)
    assert served.ingest_bytes(batch(2, 3)).json == {
        "stored": 2,
        "duplicates": 0,
        "quarantined": 0,
    }


def test_a_commit_whose_answer_is_lost_is_sent_again_and_stored_once(served, engine):

    def is_made_and_not_told(commit: Callable[[], None]) -> None:
        commit()
        raise engine.dialect.loaded_dbapi.OperationalError("server closed the connection unexpectedly")

    with committing(served, is_made_and_not_told):
        assert served.ingest_bytes(batch(1, 2)).status_code == 503
    again = served.ingest_bytes(batch(1, 2, 3))
    assert again.json == {"stored": 1, "duplicates": 2, "quarantined": 0}
    assert [word for word in told(served.store) if word.startswith("b0:")] == ["b0:1", "b0:2", "b0:3"]
    check_log(served.store, engine)


def test_every_connection_asks_for_synced_commits(engine):
    with engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            assert connection.exec_driver_sql("PRAGMA synchronous").scalar_one() == 2
            assert connection.exec_driver_sql("PRAGMA journal_mode").scalar_one() == "wal"
        else:
            assert connection.exec_driver_sql("SHOW synchronous_commit").scalar_one() == "on"


@pytest.mark.postgres
def test_a_server_that_does_not_sync_is_told_of_and_a_role_that_does_not_is_overruled():
    if postgres_binaries() is None:
        pytest.skip("no PostgreSQL: install initdb and pg_ctl")
    with durable_postgres() as server:
        engine = open_database(server.url)
        assert undurable(engine) == ()
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("ALTER ROLE gatehouse SET synchronous_commit = off"))
            connection.execute(text("ALTER DATABASE postgres SET synchronous_commit = off"))
            connection.execute(text("ALTER SYSTEM SET synchronous_commit = off"))
        engine.dispose()
        assert undurable(engine) == ()
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("ALTER SYSTEM SET fsync = off"))
            connection.execute(text("ALTER SYSTEM SET full_page_writes = off"))
        engine.dispose()
        server.stop()
        server.start()
        assert undurable(engine) == ("fsync is off", "full_page_writes is off")
        engine.dispose()
