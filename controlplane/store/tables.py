# SPDX-License-Identifier: Apache-2.0
"""The tables, as they are after the newest migration (a test compares the two).

Facts: tenant stands first in every key, environment second where a thing belongs to one.
"""

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    Table,
    UniqueConstraint,
)
from sqlalchemy import text as text_clause

from controlplane.store.columns import METADATA, count, key, text, time

principals = Table(
    "principals",
    METADATA,
    key("tenant"),
    key("id"),
    text("name"),
    text("role"),
    text("token_hash"),
    time("created_at"),
    # A list, in JSON. Null: everywhere in the tenant.
    text("environments", nullable=True),
    text("person", nullable=True),
    UniqueConstraint("token_hash"),
)

policies = Table(
    "policies",
    METADATA,
    key("tenant"),
    key("id"),
    text("kind"),
    text("version"),
    text("revision"),
    text("author"),
    text("filename"),
    time("created_at"),
    time("updated_at"),
    time("removed_at", nullable=True),
)

policy_revisions = Table(
    "policy_revisions",
    METADATA,
    key("tenant"),
    key("policy"),
    key("revision"),
    text("kind"),
    text("version"),
    text("filename"),
    Column("source", LargeBinary, nullable=False),
    text("author"),
    time("created_at"),
)

releases = Table(
    "releases",
    METADATA,
    key("tenant"),
    key("id"),
    text("environment"),
    text("policy_set"),
    text("revision"),
    text("policies"),
    text("tests"),
    Column("snapshot", LargeBinary, nullable=False),
    text("description"),
    text("author"),
    time("created_at"),
    text("untested", nullable=True),
    text("untested_reason", nullable=True),
    text("promoted_from", nullable=True),
    text("manifest", nullable=True),
    Index(None, "tenant", "policy_set", "id"),
)

environments = Table(
    "environments",
    METADATA,
    key("tenant"),
    key("id"),
    count("serial"),
    count("epoch"),
    text("credentials_etag"),
    Column("credentials", LargeBinary, nullable=False),
)

activations = Table(
    "activations",
    METADATA,
    key("tenant"),
    key("id"),
    text("environment"),
    count("serial"),
    text("release"),
    text("revision"),
    text("etag"),
    Column("bundle", LargeBinary, nullable=False),
    text("by"),
    time("created_at"),
    time("active_at", nullable=True),
    UniqueConstraint("tenant", "environment", "serial"),
    ForeignKeyConstraint(["tenant", "release"], ["releases.tenant", "releases.id"]),
)

api_keys = Table(
    "api_keys",
    METADATA,
    key("tenant"),
    key("id"),
    text("environment"),
    text("subject"),
    text("hash"),
    text("created_by"),
    time("created_at"),
    time("expires_at", nullable=True),
    time("revoked_at", nullable=True),
    text("scope", nullable=True),
    text("replaced_by", nullable=True),
    Index(None, "tenant", "environment", "id"),
)

blocked_subjects = Table(
    "blocked_subjects",
    METADATA,
    key("tenant"),
    key("environment"),
    key("subject"),
    text("blocked_by"),
    time("blocked_at"),
)

agents = Table(
    "agents",
    METADATA,
    key("tenant"),
    key("environment"),
    key("id"),
    text("version"),
    text("guard_engine"),
    text("spool"),
    text("rejected_bundle"),
    text("reported_by"),
    time("reported_at"),
    count("environment_number", nullable=True),
)

agent_workers = Table(
    "agent_workers",
    METADATA,
    key("tenant"),
    key("environment"),
    key("agent"),
    key("slot"),
    count("pid", nullable=True),
    count("serial"),
    text("revision", nullable=True),
    count("epoch"),
    text("error", nullable=True),
    count("failed_serial", nullable=True),
    count("candidate_serial", nullable=True),
    text("candidate_error", nullable=True),
    count("revocations_epoch", nullable=True),
    ForeignKeyConstraint(
        ["tenant", "environment", "agent"],
        ["agents.tenant", "agents.environment", "agents.id"],
        ondelete="CASCADE",
    ),
)

admin_events = Table(
    "admin_events",
    METADATA,
    # INTEGER on SQLite, because only that counts by itself there.
    Column("seq", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    text("tenant"),
    time("at"),
    text("principal"),
    text("role"),
    text("action"),
    text("target"),
    text("detail"),
    # Its entry in the log. Null: not yet there, the sequencer's to put there.
    count("log_index", nullable=True),
    Index(None, "tenant", "seq"),
    Index(
        "ix_admin_events_outbox",
        "seq",
        sqlite_where=text_clause("log_index IS NULL"),
        postgresql_where=text_clause("log_index IS NULL"),
    ),
)
