# SPDX-License-Identifier: Apache-2.0
"""The signed environment documents: the newest of each environment."""

from sqlalchemy import ColumnElement, Connection, insert, select, update

from controlplane.services.model import Artifact
from controlplane.store.activation_tables import environment_documents

_CONTENT = (environment_documents.c.etag, environment_documents.c.document)


class SqlEnvironmentDocuments:
    """`controlplane.services.activation_ports.EnvironmentDocuments`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def get(self, tenant: str, environment: str) -> Artifact | None:
        query = select(*_CONTENT).where(*_of(tenant, environment))
        row = self._connection.execute(query).one_or_none()
        return None if row is None else Artifact(etag=row.etag, content=bytes(row.document))

    def number(self, tenant: str, environment: str) -> int:
        query = select(environment_documents.c.number).where(*_of(tenant, environment))
        return self._connection.execute(query).scalar_one_or_none() or 0

    def candidate(self, tenant: str, environment: str) -> int | None:
        query = select(environment_documents.c.candidate).where(*_of(tenant, environment))
        return self._connection.execute(query).scalar_one_or_none()

    def put(self, tenant: str, environment: str, document: Artifact, *, number: int, candidate: int | None) -> None:
        values = {"number": number, "etag": document.etag, "document": document.content, "candidate": candidate}
        changed = self._connection.execute(
            update(environment_documents).where(*_of(tenant, environment)).values(values),
        )
        if changed.rowcount == 0:
            self._connection.execute(
                insert(environment_documents).values(tenant=tenant, environment=environment, **values),
            )


def _of(tenant: str, environment: str) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return (environment_documents.c.tenant == tenant, environment_documents.c.environment == environment)
