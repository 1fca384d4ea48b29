# SPDX-License-Identifier: Apache-2.0
"""Read what policy had kept of a prompt and its answer. Each read says why, and is noted before anything is shown.

Two seals are opened: that of the payload, which the control plane put on it, and the node's own of the texts.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from controlplane.identifiers import Clock
from controlplane.services.admin_log import note
from controlplane.services.errors import Conflict, Gone, NotFound
from controlplane.services.model import Principal
from controlplane.services.payload_state import PayloadState
from controlplane.services.ports import Session, Store
from controlplane.services.records import LoggedRecord
from policies.contracts.content import Side
from policies.sealed_texts import KeptText, Seal, SealBroken, SealedTexts


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptTexts:
    """The texts of one side of a request. `truncated`: there was more than policy keeps."""

    texts: tuple[KeptText, ...]
    truncated: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ContentView:
    """What is kept of a request; a side of which nothing is kept is None."""

    request_id: str
    prompt: KeptTexts | None
    answer: KeptTexts | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    store: Store
    clock: Clock
    pseudonym_key: bytes

    def read(self, actor: Principal, identifier: str, *, reason: str) -> ContentView:
        """Return the content of the decision of a request id or a record id. `reason` is kept for good."""
        with self.store.read() as session:
            request_id, records = _records(session, actor, identifier)
        seal = Seal(key=self.pseudonym_key, tenant=actor.tenant)
        try:
            kept = dict(side for record in records for side in _sides(seal, record))
        except SealBroken as exc:
            raise Conflict("content-unreadable", f"The content cannot be opened: {exc}.") from exc
        states = {record.payload_state for record in records}
        if PayloadState.UNREADABLE in states:
            raise Conflict("content-unreadable", "A payload was altered, or its key is not in the key file.")
        if not kept and PayloadState.ERASED in states:
            raise Gone("content-erased", "The payload was erased.")
        if not kept:
            raise NotFound("content-not-kept", "Policy did not have the texts of this request kept.")
        with self.store.write() as session:
            note(session, actor, self.clock, action="content_read", target=request_id, reason=reason)
        return ContentView(request_id=request_id, prompt=kept.get(Side.PROMPT), answer=kept.get(Side.ANSWER))


def _records(session: Session, actor: Principal, identifier: str) -> tuple[str, tuple[LoggedRecord, ...]]:
    as_of, index = session.decisions.size(actor.tenant), session.decision_index
    decision = index.by_request(actor.tenant, identifier, as_of=as_of) or index.by_record(
        actor.tenant, identifier, as_of=as_of
    )
    if decision is None:
        raise NotFound("decision-unknown", "No record is of that request or has that id.")
    # The terminal record last: what it has overrides what the admission record had.
    return decision.request_id, tuple(record for record in (decision.admission, decision.terminal) if record)


def _sides(seal: Seal, record: LoggedRecord) -> Iterator[tuple[Side, KeptTexts]]:
    """Yield what was sealed of each side. Raises SealBroken."""
    content = _members(_parsed(record.payload).get("content"))
    for side in Side:
        sealed = _members(content.get(side.value)).get("sealed")
        if isinstance(sealed, dict):
            texts = SealedTexts.from_json(sealed)
            opened = seal.open(texts, side=side, record_id=_parsed(record.envelope)["record_id"])
            yield side, KeptTexts(texts=opened, truncated=texts.truncated)


def _parsed(text: bytes | None) -> Mapping[str, Any]:
    try:
        return _members(json.loads(text or b"{}"))
    except (ValueError, RecursionError):  # ingestion vouches for a payload's digest only
        return {}


def _members(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
