# SPDX-License-Identifier: Apache-2.0
"""The tables of what is revoked beside API keys and subjects, and of the documents that say it."""

from sqlalchemy import Column, ForeignKeyConstraint, Index, LargeBinary, Table

from controlplane.store.columns import METADATA, count, key, text, time
from controlplane.store.tables import api_keys

# The newest document of each environment. `credentials_due` is 1 while its credentials document says less.
revocations = Table(
    "revocations",
    METADATA,
    key("tenant"),
    key("environment"),
    count("epoch"),
    text("etag"),
    Column("document", LargeBinary, nullable=False),
    count("credentials_due"),
    ForeignKeyConstraint(["tenant", "environment"], ["environments.tenant", "environments.id"]),
)

revoked_tokens = Table(
    "revoked_tokens",
    METADATA,
    key("tenant"),
    key("id"),
    text("environment"),
    text("issuer", nullable=True),
    text("jti", nullable=True),
    text("sha256", nullable=True),
    text("subject", nullable=True),
    time("issued_before", nullable=True),
    time("expires_at", nullable=True),
    text("reason"),
    text("revoked_by"),
    time("revoked_at"),
    Index(None, "tenant", "environment", "id"),
)

# Each revocation asks for the revoked keys: a few of many.
Index(
    "ix_api_keys_revoked",
    api_keys.c.tenant,
    api_keys.c.environment,
    api_keys.c.id,
    sqlite_where=api_keys.c.revoked_at.is_not(None),
    postgresql_where=api_keys.c.revoked_at.is_not(None),
)
