# SPDX-License-Identifier: Apache-2.0
"""The table of answers that are kept for requests with an `Idempotency-Key`."""

from sqlalchemy import Column, Index, LargeBinary, Table

from controlplane.store.columns import METADATA, count, key, text, time

# A row without `status` is a try under way. `answer` is sealed, since it may show a secret.
idempotency_keys = Table(
    "idempotency_keys",
    METADATA,
    key("tenant"),
    key("principal"),
    key("route"),
    key("key"),
    text("fingerprint"),
    text("attempt"),
    time("leased_until"),
    time("expires_at"),
    count("status", nullable=True),
    Column("answer", LargeBinary, nullable=True),
    Index(None, "expires_at"),
)
