# SPDX-License-Identifier: Apache-2.0
"""The tables of holds, erasures and retention. Subjects stand in them as pseudonyms."""

from sqlalchemy import Column, Index, Table, UniqueConstraint

from controlplane.store.columns import METADATA, UtcDay, count, key, text, time

legal_holds = Table(
    "legal_holds",
    METADATA,
    key("tenant"),
    key("id"),
    text("reason"),
    time("since", nullable=True),
    time("until", nullable=True),
    text("subject", nullable=True),
    text("request_ids"),
    text("policy", nullable=True),
    text("placed_by"),
    time("placed_at"),
    text("released_by", nullable=True),
    time("released_at", nullable=True),
)

erasures = Table(
    "erasures",
    METADATA,
    key("tenant"),
    key("id"),
    text("kind"),
    text("target"),
    text("state"),
    text("requested_by"),
    time("requested_at"),
    time("finished_at", nullable=True),
    count("payload_count"),
    count("key_count"),
    count("position"),
    text("held_by", nullable=True),
    Index(None, "state"),
)

retention_policies = Table(
    "retention_policies",
    METADATA,
    key("tenant"),
    key("of"),
    count("days", nullable=True),
    text("set_by"),
    time("set_at"),
)

# One row for each day of a class that was ever announced to be dropped.
retention_drops = Table(
    "retention_drops",
    METADATA,
    key("tenant"),
    key("id"),
    text("of"),
    Column("day", UtcDay, nullable=False),
    count("first_index"),
    count("end_index"),
    text("state"),
    text("announced_by"),
    time("announced_at"),
    count("position"),
    count("kept_count"),
    time("finished_at", nullable=True),
    UniqueConstraint("tenant", "of", "day"),
    Index(None, "state"),
)
