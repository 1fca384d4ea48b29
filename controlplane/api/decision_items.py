# SPDX-License-Identifier: Apache-2.0
"""A decision as a JSON object."""

from typing import Any

from controlplane.services.decisions import DecisionView


def item_of(view: DecisionView) -> dict[str, Any]:
    """Return a decision as lists and the live tail show it."""
    envelope = view.envelope
    resource, subject, http = (envelope.get(name) or {} for name in ("resource", "subject", "http"))
    return {
        "request_id": view.request_id,
        "record_id": envelope["record_id"],
        "log_index": view.log_index,
        "log_indexes": {"admission": view.admission_index, "terminal": view.terminal_index},
        "complete": view.terminal_index is not None,
        "environment": envelope.get("environment"),
        "time": envelope["time"],
        "subject": view.subject,
        "pseudonym": subject.get("pseudonym"),
        "action": envelope.get("action"),
        "model": resource.get("id") if resource.get("type") == "model" else None,
        "status": http.get("status"),
        "outcome": envelope.get("outcome"),
        "verdict": envelope.get("verdict"),
        "reasons": envelope.get("reasons") or [],
        "would_have": envelope.get("would_have"),
        "revision": envelope.get("revision"),
        "serial": envelope.get("serial"),
        "candidate": envelope.get("candidate"),
        "findings": envelope.get("findings") or [],
        "payload": view.payload_state,
    }
