# SPDX-License-Identifier: Apache-2.0
"""Lines that can never become records, kept with their reasons. A line that is sent again is not kept again."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, insert, select

from controlplane.services.records import QuarantinedLine
from controlplane.store.log_tables import quarantine


def put_aside(connection: Connection, tenant: str, lines: Sequence[QuarantinedLine], at: datetime) -> None:
    """Keep `lines`; the digest of each is its key."""
    by_digest = {line.digest: line for line in lines}
    if not by_digest:
        return
    query = select(quarantine.c.digest).where(
        quarantine.c.tenant == tenant,
        quarantine.c.digest.in_(list(by_digest)),
    )
    stored = set(connection.execute(query).scalars())
    rows = [
        {"tenant": tenant, "digest": digest, "reason": line.reason, "line": line.line, "received_at": at}
        for digest, line in by_digest.items()
        if digest not in stored
    ]
    if rows:
        connection.execute(insert(quarantine), rows)
