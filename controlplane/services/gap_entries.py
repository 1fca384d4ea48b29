# SPDX-License-Identifier: Apache-2.0
"""The entry by which the log itself says that numbers of a source are missing, or arrived after all."""

import hashlib
from datetime import datetime
from typing import Final

from controlplane.services.records import EntryKind, Gap, ReceivedRecord
from policies.contracts.codec import JSON, canonical_bytes

SCHEMA: Final = "gatehouse.gap/1"


def gap_entry(gap: Gap, *, tenant: str, record_id: str, at: datetime) -> ReceivedRecord:
    """Return the entry of `gap`, found at `at`."""
    members: dict[str, JSON] = {
        "schema": SCHEMA,
        "kind": EntryKind.GAP.value,
        "record_id": record_id,
        "tenant": tenant,
        "environment": gap.environment,
        "source": None,
        "time": at.isoformat(timespec="microseconds").replace("+00:00", "Z"),
        "gap": {
            "source_id": gap.source_id,
            "boot_id": gap.boot_id,
            "first_seq": gap.first_seq,
            "last_seq": gap.last_seq,
            "count": gap.count,
            "state": gap.state.value,
        },
    }
    envelope = canonical_bytes(members)
    return own_entry(members, envelope, payload=None, at=at)


def own_entry(
    members: dict[str, JSON],
    envelope: bytes,
    *,
    payload: bytes | None,
    at: datetime,
) -> ReceivedRecord:
    """Return what the control plane itself writes into the log: numbered by no source, of no request."""
    environment = members["environment"]
    return ReceivedRecord(
        tenant=str(members["tenant"]),
        environment=None if environment is None else str(environment),
        source_id=None,
        boot_id=None,
        seq=None,
        record_id=str(members["record_id"]),
        request_id=None,
        kind=str(members["kind"]),
        time=at,
        envelope=envelope,
        leaf_hash=hashlib.sha256(b"\0" + envelope).digest(),
        payload=payload,
        members=members,
    )
