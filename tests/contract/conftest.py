# SPDX-License-Identifier: Apache-2.0
"""Both databases, migrated and empty, for every contract test that asks for `engine` or `store`."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from controlplane.sealing import KeyRing
from controlplane.store.engine import open_database
from controlplane.store.migrate import migrate
from controlplane.store.store import SqlStore
from tests.databases import postgres_binaries, private_postgres


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A PostgreSQL server's URL: GATEHOUSE_TEST_DATABASE_URL, or a private server from this machine's binaries."""
    given = os.environ.get("GATEHOUSE_TEST_DATABASE_URL")
    if given:
        yield given
        return
    binaries = postgres_binaries()
    if binaries is None:
        pytest.skip("no PostgreSQL: set GATEHOUSE_TEST_DATABASE_URL, or install initdb and pg_ctl")
    with private_postgres(binaries) as url:
        yield url


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def bare_engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """A database without any table."""
    url = (
        f"sqlite:///{tmp_path / 'gatehouse.db'}"
        if request.param == "sqlite"
        else request.getfixturevalue("postgres_url")
    )
    opened = open_database(url)
    if request.param == "postgres":
        with opened.begin() as connection:
            connection.exec_driver_sql("DROP SCHEMA public CASCADE")
            connection.exec_driver_sql("CREATE SCHEMA public")
    yield opened
    opened.dispose()


@pytest.fixture
def engine(bare_engine: Engine) -> Engine:
    """A migrated, empty database."""
    migrate(bare_engine)
    return bare_engine


@pytest.fixture
def store(engine: Engine) -> SqlStore:
    return SqlStore(engine, KeyRing([b"k" * 32]))
