# SPDX-License-Identifier: Apache-2.0
from sqlalchemy import select

from controlplane.store.engine import WRITES, open_database
from controlplane.store.rows import add_if_absent
from controlplane.store.tables import METADATA, log_heads
from tests.control_planes import sqlite_url


def test_a_row_is_added_once_and_the_transaction_goes_on(tmp_path):
    engine = open_database(sqlite_url(tmp_path))
    METADATA.create_all(engine)
    with engine.connect().execution_options(**{WRITES: True}) as connection, connection.begin():
        assert add_if_absent(connection, log_heads, {"tenant": "a", "size": 1})
        assert not add_if_absent(connection, log_heads, {"tenant": "a", "size": 2})
        assert add_if_absent(connection, log_heads, {"tenant": "b", "size": 3})
    with engine.connect() as connection:
        assert list(connection.execute(select(log_heads.c.size).order_by(log_heads.c.tenant)).scalars()) == [1, 3]
    engine.dispose()
