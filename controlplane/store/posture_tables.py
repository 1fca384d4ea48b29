# SPDX-License-Identifier: Apache-2.0
"""The tables of what nodes found out about how they stand."""

from sqlalchemy import Column, Index, Table, Text

from controlplane.store.columns import METADATA, key, text, time

# What each check of each node last came to. `check` is a word of SQL.
posture_results = Table(
    "posture_results",
    METADATA,
    key("tenant"),
    key("environment"),
    key("node"),
    Column("check_name", Text, primary_key=True),
    text("result"),
    text("detail"),
    time("at"),
)

posture_findings = Table(
    "posture_findings",
    METADATA,
    key("tenant"),
    key("id"),
    text("environment"),
    text("node"),
    text("check_name"),
    text("detail"),
    time("opened_at"),
    time("closed_at", nullable=True),
)

# Each report of a node that checks asks for its open findings, each scrape for all of them: a few of many.
Index(
    "ix_posture_findings_open",
    posture_findings.c.tenant,
    posture_findings.c.environment,
    posture_findings.c.node,
    sqlite_where=posture_findings.c.closed_at.is_(None),
    postgresql_where=posture_findings.c.closed_at.is_(None),
)
