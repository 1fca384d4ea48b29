# SPDX-License-Identifier: Apache-2.0
"""The tables of what keeps payloads readable, and for how long."""

from sqlalchemy import BigInteger, Column, LargeBinary, Table

from controlplane.store.columns import METADATA, key, time

# `wrapped` is null once the key was destroyed; the row stays, so that its number is not given again.
payload_keys = Table(
    "payload_keys",
    METADATA,
    key("tenant"),
    key("day"),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("wrapped", LargeBinary, nullable=True),
    time("created_at"),
    time("destroyed_at", nullable=True),
)
