# SPDX-License-Identifier: Apache-2.0
"""The store over a database: one transaction, one session with a part for each kind of thing that is kept."""

from collections.abc import Iterator
from contextlib import contextmanager

from psycopg import OperationalError as PsycopgOperationalError
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from controlplane.sealing import KeyRing
from controlplane.services.errors import StoreUnavailable
from controlplane.store.activations import SqlActivations
from controlplane.store.admin_events import SqlAdminEvents
from controlplane.store.agents import SqlAgents
from controlplane.store.api_keys import SqlApiKeys
from controlplane.store.approvals import SqlApprovals
from controlplane.store.blocked_subjects import SqlBlockedSubjects
from controlplane.store.census import SqlCensus
from controlplane.store.checkpoints import SqlCheckpoints
from controlplane.store.decision_index import SqlDecisionIndex
from controlplane.store.decision_log import SqlDecisionLog
from controlplane.store.engine import WRITES
from controlplane.store.environment_documents import SqlEnvironmentDocuments
from controlplane.store.environment_rules import SqlEnvironmentRules
from controlplane.store.environments import SqlEnvironments
from controlplane.store.gates import SqlGates
from controlplane.store.idempotency import SqlIdempotencyKeys
from controlplane.store.keeping import SqlErasures, SqlLegalHolds
from controlplane.store.log_reader import SqlLogReader
from controlplane.store.opa import SqlOpa
from controlplane.store.operations import SqlOperations
from controlplane.store.payload_vault import SqlPayloadVault
from controlplane.store.policies import SqlPolicies
from controlplane.store.posture import SqlPosture
from controlplane.store.principals import SqlPrincipals
from controlplane.store.releases import SqlReleases
from controlplane.store.retention import SqlRetention
from controlplane.store.revocations import SqlRevocations
from controlplane.store.rollouts import SqlRollouts
from controlplane.store.rollups import SqlRollups
from controlplane.store.sink_positions import SqlSinkPositions


class SqlSession:
    """One transaction's view of the store (`controlplane.services.ports.Session`)."""

    def __init__(self, connection: Connection, ring: KeyRing) -> None:
        self.payloads = SqlPayloadVault(connection, ring)
        self.legal_holds = SqlLegalHolds(connection)
        self.erasures = SqlErasures(connection)
        self.retention = SqlRetention(connection)
        self.principals = SqlPrincipals(connection)
        self.policies = SqlPolicies(connection)
        self.releases = SqlReleases(connection)
        self.environments = SqlEnvironments(connection)
        self.environment_documents = SqlEnvironmentDocuments(connection)
        self.rollouts = SqlRollouts(connection)
        self.activations = SqlActivations(connection)
        self.approvals = SqlApprovals(connection)
        self.gates = SqlGates(connection)
        self.environment_rules = SqlEnvironmentRules(connection)
        self.api_keys = SqlApiKeys(connection)
        self.revocations = SqlRevocations(connection)
        self.blocked_subjects = SqlBlockedSubjects(connection)
        self.agents = SqlAgents(connection)
        self.idempotency_keys = SqlIdempotencyKeys(connection, ring)
        self.posture = SqlPosture(connection)
        self.decisions = SqlDecisionLog(connection, self.payloads)
        self.log = SqlLogReader(connection, self.payloads)
        self.opa = SqlOpa(connection)
        self.sink_positions = SqlSinkPositions(connection)
        self.decision_index = SqlDecisionIndex(connection, self.log)
        self.rollups = SqlRollups(connection)
        self.admin_events = SqlAdminEvents(connection)
        self.operations = SqlOperations(connection)
        self.checkpoints = SqlCheckpoints(connection)
        self.census = SqlCensus(connection)


class SqlStore:
    """The store over `engine` (`controlplane.services.ports.Store`). Safe to use from many threads.

    Without `payload_keys` it seals under a key that ends with it: nothing is ever stored in plain.
    """

    def __init__(self, engine: Engine, payload_keys: KeyRing | None = None) -> None:
        self._engine = engine
        self._ring = payload_keys or KeyRing.random()

    @contextmanager
    def read(self) -> Iterator[SqlSession]:
        with self._transaction(writes=False) as session:
            yield session

    @contextmanager
    def write(self) -> Iterator[SqlSession]:
        with self._transaction(writes=True) as session:
            yield session

    @contextmanager
    def _transaction(self, *, writes: bool) -> Iterator[SqlSession]:
        try:
            with self._engine.connect() as plain:
                connection = plain.execution_options(**{WRITES: writes})
                if not writes and connection.dialect.name == "postgresql":
                    # Its default shows each statement another state; a read here is of one.
                    connection = connection.execution_options(isolation_level="REPEATABLE READ")
                with connection.begin():
                    yield SqlSession(connection, self._ring)
        except IntegrityError as exc:
            # Two writers added the same thing at once: the second one will find it there when it asks again.
            raise StoreUnavailable("another change came in between") from exc
        except (OperationalError, PoolTimeout, PsycopgOperationalError) as exc:
            # Locked, full, gone or too busy: nothing was stored, and the same request may succeed later.
            raise StoreUnavailable("the database did not answer in time or could not store") from exc
        except DBAPIError as exc:
            if exc.connection_invalidated:
                raise StoreUnavailable("the connection to the database was lost") from exc
            raise

    def scrub_keys(self) -> None:
        if self._engine.dialect.name == "sqlite":
            connection = self._engine.raw_connection()
            try:  # a log of writes that readers still need is left; the next erasure or the next stop truncates it
                connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)").close()
            finally:
                connection.close()
        else:
            with self._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as plain:
                plain.exec_driver_sql("VACUUM payload_keys")

    def close(self) -> None:
        self._engine.dispose()
