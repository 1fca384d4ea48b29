# SPDX-License-Identifier: Apache-2.0
"""The tables of holds and erasures. Subjects stand in them as pseudonyms."""

from sqlalchemy import Index, Table

from controlplane.store.columns import METADATA, count, key, text, time

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
