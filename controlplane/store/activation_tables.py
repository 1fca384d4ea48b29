# SPDX-License-Identifier: Apache-2.0
"""The tables of how environments are run and of how releases are put to work."""

from sqlalchemy import Column, ForeignKeyConstraint, LargeBinary, Table

from controlplane.store.columns import METADATA, count, key, text

# The newest document of each environment; none before it is first asked for. `candidate` is the serial that it names.
environment_documents = Table(
    "environment_documents",
    METADATA,
    key("tenant"),
    key("environment"),
    count("number"),
    text("etag"),
    Column("document", LargeBinary, nullable=False),
    count("candidate", nullable=True),
    ForeignKeyConstraint(["tenant", "environment"], ["environments.tenant", "environments.id"]),
)
