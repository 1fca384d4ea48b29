# SPDX-License-Identifier: Apache-2.0
"""The tables, as they are after the newest migration (a test compares the two).

Facts: tenant stands first in every key, environment second where a thing belongs to one. Times are whole microseconds
since 1970, because SQLite has no time type and would drop the zone.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Dialect,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class UtcTime(TypeDecorator[datetime]):
    """An aware datetime, kept as microseconds since 1970."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:  # noqa: ARG002  # SQLAlchemy's signature
        return None if value is None else (value - _EPOCH) // _MICROSECOND

    def process_result_value(self, value: Any | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        return None if value is None else _EPOCH + value * _MICROSECOND


# Names of constraints are given, so that a migration can name what it drops on every database.
METADATA = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(referred_table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    },
)


def _key(name: str) -> Column[str]:
    return Column(name, Text, primary_key=True)


def _text(name: str, *, nullable: bool = False) -> Column[str]:
    return Column(name, Text, nullable=nullable)


def _time(name: str, *, nullable: bool = False) -> Column[datetime]:
    return Column(name, UtcTime, nullable=nullable)


def _count(name: str, *, nullable: bool = False) -> Column[int]:
    return Column(name, BigInteger, nullable=nullable)


principals = Table(
    "principals",
    METADATA,
    _key("tenant"),
    _key("id"),
    _text("name"),
    _text("role"),
    _text("token_hash"),
    _time("created_at"),
    UniqueConstraint("token_hash"),
)

policies = Table(
    "policies",
    METADATA,
    _key("tenant"),
    _key("id"),
    _text("kind"),
    _text("version"),
    _text("revision"),
    _text("author"),
    _text("filename"),
    _time("created_at"),
    _time("updated_at"),
    _time("removed_at", nullable=True),
)

policy_revisions = Table(
    "policy_revisions",
    METADATA,
    _key("tenant"),
    _key("policy"),
    _key("revision"),
    _text("kind"),
    _text("version"),
    _text("filename"),
    Column("source", LargeBinary, nullable=False),
    _text("author"),
    _time("created_at"),
)

releases = Table(
    "releases",
    METADATA,
    _key("tenant"),
    _key("id"),
    _text("environment"),
    _text("policy_set"),
    _text("revision"),
    _text("policies"),
    _text("tests"),
    Column("snapshot", LargeBinary, nullable=False),
    _text("description"),
    _text("author"),
    _time("created_at"),
    Index(None, "tenant", "policy_set", "id"),
)

environments = Table(
    "environments",
    METADATA,
    _key("tenant"),
    _key("id"),
    _count("serial"),
    _count("epoch"),
    _text("credentials_etag"),
    Column("credentials", LargeBinary, nullable=False),
)

activations = Table(
    "activations",
    METADATA,
    _key("tenant"),
    _key("id"),
    _text("environment"),
    _count("serial"),
    _text("release"),
    _text("revision"),
    _text("etag"),
    Column("bundle", LargeBinary, nullable=False),
    _text("by"),
    _time("created_at"),
    _time("active_at", nullable=True),
    UniqueConstraint("tenant", "environment", "serial"),
    ForeignKeyConstraint(["tenant", "release"], ["releases.tenant", "releases.id"]),
)

api_keys = Table(
    "api_keys",
    METADATA,
    _key("tenant"),
    _key("id"),
    _text("environment"),
    _text("subject"),
    _text("hash"),
    _text("created_by"),
    _time("created_at"),
    _time("expires_at", nullable=True),
    _time("revoked_at", nullable=True),
    Index(None, "tenant", "environment", "id"),
)

agents = Table(
    "agents",
    METADATA,
    _key("tenant"),
    _key("environment"),
    _key("id"),
    _text("version"),
    _text("guard_engine"),
    _text("spool"),
    _text("rejected_bundle"),
    _text("reported_by"),
    _time("reported_at"),
)

agent_workers = Table(
    "agent_workers",
    METADATA,
    _key("tenant"),
    _key("environment"),
    _key("agent"),
    _key("slot"),
    _count("pid", nullable=True),
    _count("serial"),
    _text("revision", nullable=True),
    _count("epoch"),
    _text("error", nullable=True),
    ForeignKeyConstraint(
        ["tenant", "environment", "agent"],
        ["agents.tenant", "agents.environment", "agents.id"],
        ondelete="CASCADE",
    ),
)

# The next index of each tenant's log. The row's lock is what makes indexes dense and appends one at a time.
log_heads = Table("log_heads", METADATA, _key("tenant"), _count("size"))

records = Table(
    "records",
    METADATA,
    _key("tenant"),
    Column("log_index", BigInteger, primary_key=True, autoincrement=False),
    _text("environment"),
    _text("source_id"),
    _text("boot_id"),
    _count("seq"),
    _text("record_id"),
    _text("request_id"),
    _text("kind"),
    _time("received_at"),
    Column("envelope", LargeBinary, nullable=False),
    _text("envelope_digest"),
    UniqueConstraint("tenant", "source_id", "boot_id", "seq"),
    Index(None, "tenant", "record_id"),
    Index(None, "tenant", "request_id"),
)

# Apart from the records, because a payload may be erased and an envelope never is.
payloads = Table(
    "payloads",
    METADATA,
    _key("tenant"),
    Column("log_index", BigInteger, primary_key=True, autoincrement=False),
    Column("content", LargeBinary, nullable=False),
    ForeignKeyConstraint(["tenant", "log_index"], ["records.tenant", "records.log_index"]),
)

# One row for each request: what it is found by. `log_index` is that of its first record and never changes.
decisions = Table(
    "decisions",
    METADATA,
    _key("tenant"),
    Column("log_index", BigInteger, primary_key=True, autoincrement=False),
    _text("environment"),
    _text("request_id"),
    _count("admission_index", nullable=True),
    _count("terminal_index", nullable=True),
    _time("time"),
    _text("subject", nullable=True),
    _text("outcome"),
    _text("verdict", nullable=True),
    _text("model", nullable=True),
    _text("revision", nullable=True),
    _count("serial", nullable=True),
    UniqueConstraint("tenant", "request_id"),
    Index(None, "tenant", "subject", "log_index"),
    Index(None, "tenant", "outcome", "log_index"),
    Index(None, "tenant", "model", "log_index"),
    Index(None, "tenant", "revision", "log_index"),
    Index(None, "tenant", "time"),
)

decision_reasons = Table(
    "decision_reasons",
    METADATA,
    _key("tenant"),
    _key("code"),
    Column("log_index", BigInteger, primary_key=True, autoincrement=False),
)

decision_policies = Table(
    "decision_policies",
    METADATA,
    _key("tenant"),
    _key("policy"),
    Column("log_index", BigInteger, primary_key=True, autoincrement=False),
)

quarantine = Table(
    "quarantine",
    METADATA,
    _key("tenant"),
    _key("digest"),
    _text("reason"),
    Column("line", LargeBinary, nullable=False),
    _time("received_at"),
)

admin_events = Table(
    "admin_events",
    METADATA,
    # INTEGER on SQLite, because only that counts by itself there.
    Column("seq", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    _text("tenant"),
    _time("at"),
    _text("principal"),
    _text("role"),
    _text("action"),
    _text("target"),
    _text("detail"),
    Index(None, "tenant", "seq"),
)
