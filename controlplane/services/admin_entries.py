# SPDX-License-Identifier: Apache-2.0
"""An administrative event as an entry of the log (`docs/spec/decision-record.md`)."""

import hashlib
from typing import Any, Final

from controlplane.services.api_keys import SUBJECT
from controlplane.services.gap_entries import own_entry
from controlplane.services.model import AdminEvent
from controlplane.services.records import EntryKind, ReceivedRecord
from controlplane.services.subjects import as_pseudonym
from policies.contracts.codec import JSON, canonical_bytes
from policies.contracts.record import MAX_ENVELOPE_BYTES

SCHEMA: Final = "gatehouse.admin/1"


def admin_entry(event: AdminEvent, *, record_id: str, pseudonym_key: bytes) -> ReceivedRecord:
    """Return the entry of `event`. A detail that no envelope holds stands in it by its digest; the event keeps it.

    Subjects stand in it as pseudonyms: an envelope is for ever, and a name must stay erasable.
    """

    def unnamed(value: Any) -> Any:
        if isinstance(value, str) and SUBJECT.fullmatch(value):
            return as_pseudonym(pseudonym_key, event.tenant, value)
        return [unnamed(one) for one in value] if isinstance(value, list | tuple) else value

    members: dict[str, JSON] = {
        "schema": SCHEMA,
        "kind": EntryKind.ADMIN.value,
        "record_id": record_id,
        "tenant": event.tenant,
        "environment": None,
        "source": None,
        "time": event.at.isoformat(timespec="microseconds").replace("+00:00", "Z"),
        "seq": event.seq,
        "principal": event.principal,
        "role": event.role,
        "action": event.action,
        "target": unnamed(event.target),
        "detail": {name: unnamed(value) for name, value in event.detail.items()},
    }
    envelope = canonical_bytes(members)
    if len(envelope) > MAX_ENVELOPE_BYTES:
        detail = canonical_bytes(dict(event.detail))
        members["detail"] = {"digest": "sha256:" + hashlib.sha256(detail).hexdigest(), "bytes": len(detail)}
        envelope = canonical_bytes(members)
    return own_entry(members, envelope, payload=None, at=event.at)
