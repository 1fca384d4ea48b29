# SPDX-License-Identifier: Apache-2.0
"""Which of several processes is the sequencer.

Theory: a lock says who may lead, a number says who does. Each leader takes the next number, and everything it stores
is stored in a transaction that has locked the row with that number and found its own: who was paused and wakes up late
finds another's, and stores nothing. So two leaders at once would be slow, never wrong.

Facts: PostgreSQL's advisory lock belongs to a session, and ends with it. A paused process keeps its session, so the
server (14 or later can) is told to end one that says nothing for TERM_S. SQLite has no sessions: there a leader has its
term until `expires_at`, which it renews; a time farther off than a term is one from before the clock was set back, and
is over.
"""

import contextlib
import os
import socket
from datetime import timedelta
from typing import Final

import structlog
from sqlalchemy import Connection, Engine, select, text, update
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from controlplane.identifiers import Clock
from controlplane.services.log_ports import Leadership
from controlplane.store.checkpoint_tables import sequencer_terms
from controlplane.store.columns import EPOCH
from controlplane.store.engine import WRITES

_log = structlog.get_logger("gatehouse.log")

# Three times as long as a leader takes from one renewal to the next.
TERM_S: Final = 6
_TERM: Final = timedelta(seconds=TERM_S)
# Any number that nobody else uses for an advisory lock of this database: the first bytes of "gatehouse log".
_LOCK: Final = int.from_bytes(b"gatehous") >> 1


def leadership(engine: Engine, clock: Clock) -> Leadership:
    """Return how processes over this database agree on a leader."""
    return PostgresLeadership(engine) if engine.dialect.name == "postgresql" else SqliteLeadership(engine, clock)


class PostgresLeadership:
    """A session of its own holds the lock for as long as this process leads."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._failed = False
        self._session: Connection | None = None
        self._fence: int | None = None

    def claim(self) -> int | None:
        """Return this leader's number, or None while another leads or the database does not answer.

        MUST be called again within TERM_S: that is how the server sees that the leader is awake.
        """
        try:
            if self._session is None or self._fence is None:
                self._open()
            else:
                self._session.execute(text("SELECT 1"))
            self._failed = False
        except (DBAPIError, PoolTimeout) as exc:
            if not self._failed:
                _log.warning("leadership_unavailable", error=type(exc).__name__)
            self._failed = True
            self.close()
        return self._fence

    def close(self) -> None:
        """Lead no more."""
        session, self._session, self._fence = self._session, None, None
        if session is not None:
            # Not back into the pool: with the connection ends the lock.
            session.invalidate()
            session.close()

    def _open(self) -> None:
        if self._session is None:
            self._session = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
            self._session.execute(text(f"SET idle_session_timeout = '{TERM_S}s'"))
        if self._session.execute(text("SELECT pg_try_advisory_lock(:lock)"), {"lock": _LOCK}).scalar_one():
            self._fence = _next_term(self._session, f"{socket.gethostname()} {os.getpid()}")


class SqliteLeadership:
    """A row with a time until which its holder leads."""

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock
        self._fence: int | None = None

    def claim(self) -> int | None:
        """Return this leader's number, or None while another leads or the database does not answer.

        MUST be called again within TERM_S.
        """
        try:
            with self._engine.connect().execution_options(**{WRITES: True}) as connection, connection.begin():
                self._fence = self._claim(connection)
        except (OperationalError, PoolTimeout):
            return None  # whose turn it is, the row says as soon as it can be read again
        return self._fence

    def close(self) -> None:
        """Lead no more, and let another begin at once."""
        fence, self._fence = self._fence, None
        if fence is None:
            return
        mine = (sequencer_terms.c.id == 1) & (sequencer_terms.c.fence == fence)
        with (
            contextlib.suppress(OperationalError, PoolTimeout),  # the term ends by itself
            self._engine.connect().execution_options(**{WRITES: True}) as connection,
            connection.begin(),
        ):
            connection.execute(update(sequencer_terms).where(mine).values(expires_at=EPOCH))

    def _claim(self, connection: Connection) -> int | None:
        now = self._clock()
        row = connection.execute(select(sequencer_terms).where(sequencer_terms.c.id == 1)).one()
        fence = self._fence
        if row.fence != fence:
            if timedelta(0) < row.expires_at - now <= _TERM:
                return None
            fence = _next_term(connection, f"{socket.gethostname()} {os.getpid()}")
        expires = now + _TERM
        connection.execute(update(sequencer_terms).where(sequencer_terms.c.id == 1).values(expires_at=expires))
        return fence


def _next_term(connection: Connection, holder: str) -> int:
    # The row is there from the migration on. Waits for the transaction of the leader before, if one is under way.
    following = update(sequencer_terms).where(sequencer_terms.c.id == 1)
    following = following.values(fence=sequencer_terms.c.fence + 1, holder=holder)
    return int(connection.execute(following.returning(sequencer_terms.c.fence)).scalar_one())
