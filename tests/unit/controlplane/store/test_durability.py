# SPDX-License-Identifier: Apache-2.0
"""What is told of a SQLite file; of PostgreSQL, tests/contract asks a server."""

import pytest
from sqlalchemy import create_engine, event

from controlplane.store.durability import undurable
from controlplane.store.engine import open_database


def test_a_database_of_ours_keeps_what_it_acknowledged(tmp_path):
    engine = open_database(f"sqlite:///{tmp_path / 'gatehouse.db'}")
    assert undurable(engine) == ()
    engine.dispose()


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        pytest.param("PRAGMA synchronous = NORMAL", "synchronous is 1", id="normal"),
        pytest.param("PRAGMA synchronous = OFF", "synchronous is 0", id="off"),
        pytest.param("PRAGMA journal_mode = OFF", "journal_mode is off", id="no-journal"),
        pytest.param("PRAGMA journal_mode = MEMORY", "journal_mode is memory", id="journal-in-memory"),
    ],
)
def test_what_would_lose_a_commit_is_named(tmp_path, statement, told):
    engine = create_engine(f"sqlite:///{tmp_path / 'gatehouse.db'}")

    @event.listens_for(engine, "connect")
    def weaken(connection, _) -> None:
        connection.execute(statement)

    assert undurable(engine) == (told,)
    engine.dispose()
