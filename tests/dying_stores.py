# SPDX-License-Identifier: Apache-2.0
"""A process that dies between any two statements."""

from contextlib import contextmanager

from sqlalchemy import event


class Crash(Exception):
    """The process dies here: nothing after it happens, and its transaction is rolled back by the database."""


class DyingStore:
    """A store whose process dies after so many statements that were to change something."""

    def __init__(self, store, *, after):
        self._store = store
        self._left = after

    def read(self):
        return self._store.read()

    @contextmanager
    def write(self):
        with self._store.write() as session:
            connection = session.rollouts._connection

            def count(_connection, _cursor, statement, *_):
                if statement.lstrip().upper().startswith(("INSERT", "UPDATE", "DELETE")):
                    self._left -= 1
                    if self._left < 0:
                        raise Crash

            event.listen(connection, "before_cursor_execute", count)
            try:
                yield session
            finally:
                event.remove(connection, "before_cursor_execute", count)
            # Dying right before the commit is the last place there is.
            self._left -= 1
            if self._left < 0:
                raise Crash
