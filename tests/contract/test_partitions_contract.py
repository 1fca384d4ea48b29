# SPDX-License-Identifier: Apache-2.0
"""Days apart: made ahead, used, and done without; on every database, though only PostgreSQL has them."""

from datetime import date, timedelta

import pytest
from sqlalchemy import text

from controlplane.store.columns import day_number
from controlplane.store.partitions import is_partition, is_short_of_partitions, make_partitions, partition_name
from tests.log_entries import T, check_log, received
from tests.records import NOON

FAR = date(2031, 5, 1)


def count(engine, table: str, day: date | None = None) -> int:
    condition = "" if day is None else f" WHERE day = {day_number(day)}"
    with engine.connect() as connection:
        return connection.execute(text(f"SELECT count(*) FROM {table}{condition}")).scalar_one()


@pytest.fixture
def partitioned(engine) -> bool:
    return engine.dialect.name == "postgresql"


@pytest.fixture
def append(store, engine):
    def append(seq: int, day: date) -> None:
        at = NOON.replace(year=day.year, month=day.month, day=day.day)
        with store.write() as session:
            assert session.decisions.append(T, [received(seq=seq)], [], at=at).stored == 1
        check_log(store, engine)

    return append


def test_days_are_made_once(engine, partitioned):
    with engine.begin() as connection:
        made = make_partitions(connection, FAR, days=3)
        assert make_partitions(connection, FAR, days=3) == ()
    assert made == (tuple(FAR + timedelta(days=number) for number in range(3)) if partitioned else ())


def test_an_entry_is_in_the_partition_of_its_day(engine, append, partitioned):
    with engine.begin() as connection:
        make_partitions(connection, FAR, days=2)
    append(1, FAR)
    append(2, FAR + timedelta(days=1))
    for number in range(2):
        day = FAR + timedelta(days=number)
        for table in ("records", "payloads"):
            assert count(engine, partition_name(table, day) if partitioned else table, day) == 1


def test_a_day_without_partition_is_stored_and_read_all_the_same(engine, append, partitioned):
    append(1, FAR)
    assert count(engine, "records_default" if partitioned else "records") == 1
    with engine.begin() as connection:
        made = make_partitions(connection, FAR, days=2)
    assert made == ((FAR + timedelta(days=1),) if partitioned else ())  # the day that has rows elsewhere stays there
    append(2, FAR)
    append(3, FAR + timedelta(days=1))


def test_more_days_are_made_when_they_run_short(store, engine, partitioned):
    with engine.connect() as connection:
        assert is_short_of_partitions(connection, FAR) is partitioned
    with store.write() as session:
        session.decisions.prepare_days(FAR)
    with engine.connect() as connection:
        assert not is_short_of_partitions(connection, FAR)
        assert not is_short_of_partitions(connection, FAR + timedelta(days=20))
        assert is_short_of_partitions(connection, FAR + timedelta(days=30)) is partitioned


@pytest.mark.parametrize(
    ("name", "want"),
    [
        ("records_20261121", True),
        ("payloads_default", True),
        ("records", False),
        ("records_before", False),
        ("principals_20261121", False),
    ],
)
def test_a_partition_is_known_by_its_name(name, want):
    assert is_partition(name) is want


@pytest.mark.only_on("postgres")
def test_a_role_that_owns_no_table_leaves_them_to_init(engine, partitioned):
    with engine.begin() as connection:
        assert is_short_of_partitions(connection, FAR)
        connection.execute(text("SET LOCAL ROLE pg_read_all_data"))
        assert not is_short_of_partitions(connection, FAR)
