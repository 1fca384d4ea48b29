# SPDX-License-Identifier: Apache-2.0
"""The tables of the sequencer: what it signed, and which process may sign.

Facts: (tenant, size) is the key of what was signed, so that the database itself refuses a second root for one size.
"""

from sqlalchemy import BigInteger, Column, LargeBinary, Table

from controlplane.store.columns import METADATA, count, key, text, time

checkpoints = Table(
    "checkpoints",
    METADATA,
    key("tenant"),
    Column("size", BigInteger, primary_key=True, autoincrement=False),
    Column("root", LargeBinary, nullable=False),
    # The newest note of this size: its cosignature of the log is renewed, its text never changes.
    text("note"),
    # Lines of witnesses, to stand behind the note. Their signatures hold for the text, whoever renews the note.
    text("cosignatures"),
    time("first_signed_at"),
    time("signed_at"),
)

# One row. `fence` counts leaders: who holds an earlier number than the row's has been followed and signs no more.
sequencer_terms = Table(
    "sequencer_terms",
    METADATA,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    count("fence"),
    text("holder"),
    # When the term ends unless it is renewed. SQLite only: on PostgreSQL a lock of the leader's session says so.
    time("expires_at"),
)
