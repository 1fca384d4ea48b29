# SPDX-License-Identifier: Apache-2.0
"""The tables of change control."""

from sqlalchemy import ForeignKeyConstraint, Index, Table

from controlplane.store.columns import METADATA, count, key, text, time

# `rules` is the object of `EnvironmentRules.to_json`, so that a rule more is no migration.
environment_rules = Table(
    "environment_rules",
    METADATA,
    key("tenant"),
    key("environment"),
    count("version"),
    text("rules"),
    text("set_by"),
    time("set_at"),
)

approvals = Table(
    "approvals",
    METADATA,
    key("tenant"),
    key("id"),
    text("release"),
    text("revision"),
    text("environment"),
    text("verdict"),
    text("comment"),
    text("by"),
    text("role"),
    time("given_at"),
    count("by_activation"),
    time("withdrawn_at", nullable=True),
    Index(None, "tenant", "release", "id"),
    ForeignKeyConstraint(["tenant", "release"], ["releases.tenant", "releases.id"]),
)

release_evidence = Table(
    "release_evidence",
    METADATA,
    key("tenant"),
    key("id"),
    text("release"),
    text("environment"),
    text("gate"),
    text("by"),
    text("role"),
    time("given_at"),
    text("digest"),
    count("decision_count"),
    text("summary"),
    Index(None, "tenant", "release", "id"),
    ForeignKeyConstraint(["tenant", "release"], ["releases.tenant", "releases.id"]),
)
