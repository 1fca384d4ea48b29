# SPDX-License-Identifier: Apache-2.0
from sqlalchemy import select

from controlplane.store.engine import WRITES, open_database
from controlplane.store.rows import add_if_absent
from controlplane.store.tables import METADATA, blocked_subjects
from tests.control_planes import sqlite_url
from tests.records import NOON


def test_a_row_is_added_once_and_the_transaction_goes_on(tmp_path):
    engine = open_database(sqlite_url(tmp_path))
    METADATA.create_all(engine)
    row = {"tenant": "a", "environment": "production", "blocked_by": "admin", "blocked_at": NOON}
    with engine.connect().execution_options(**{WRITES: True}) as connection, connection.begin():
        assert add_if_absent(connection, blocked_subjects, row | {"subject": "user:a"})
        assert not add_if_absent(connection, blocked_subjects, row | {"subject": "user:a", "blocked_by": "other"})
        assert add_if_absent(connection, blocked_subjects, row | {"subject": "user:b"})
    with engine.connect() as connection:
        rows = connection.execute(select(blocked_subjects.c.subject, blocked_subjects.c.blocked_by)).all()
    assert sorted(map(tuple, rows)) == [("user:a", "admin"), ("user:b", "admin")]
    engine.dispose()
