# SPDX-License-Identifier: Apache-2.0
"""The table of long jobs."""

from sqlalchemy import Index, Table

from controlplane.store.columns import METADATA, count, key, text, time

# `fence` counts how often the job was claimed: a process that lost its lease finds another number there.
operations = Table(
    "operations",
    METADATA,
    key("tenant"),
    key("id"),
    text("kind"),
    text("state"),
    text("question"),
    text("created_by"),
    text("role"),
    time("created_at"),
    time("started_at", nullable=True),
    time("ended_at", nullable=True),
    time("expires_at", nullable=True),
    time("leased_until", nullable=True),
    count("fence"),
    count("cancel_requested"),
    count("done"),
    count("total"),
    count("row_count"),
    text("filename", nullable=True),
    text("media_type", nullable=True),
    count("size_bytes", nullable=True),
    text("digest", nullable=True),
    text("failure_code", nullable=True),
    text("failure_detail", nullable=True),
    Index(None, "state", "id"),
)
