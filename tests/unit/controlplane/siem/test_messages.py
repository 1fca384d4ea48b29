# SPDX-License-Identifier: Apache-2.0
"""How loud an entry is, and what of it may be an attribute."""

import pytest

from controlplane.services.records import LogEntry
from controlplane.siem.messages import Severity, message_of
from tests.records import NOON


def told(kind: str, **envelope):
    logged = LogEntry(log_index=1, kind=kind, received_at=NOON, envelope=b"", payload=None, leaf_hash=b"")
    return message_of(logged, {"time": "2026-11-20T12:00:00Z"} | envelope, b"{}")


@pytest.mark.parametrize(
    ("kind", "envelope", "want"),
    [
        pytest.param("gap", {}, Severity.ERROR, id="gap"),
        pytest.param("loss", {}, Severity.ERROR, id="loss"),
        pytest.param("terminal", {"outcome": "error_deny"}, Severity.ERROR, id="failure"),
        pytest.param("terminal", {"outcome": "deny"}, Severity.WARNING, id="refusal"),
        pytest.param("terminal", {"outcome": "allow", "would_have": "deny"}, Severity.NOTICE, id="observed-refusal"),
        pytest.param("admin", {}, Severity.NOTICE, id="administration"),
        pytest.param("terminal", {"outcome": "allow"}, Severity.INFO, id="allowed"),
    ],
)
def test_severity(kind, envelope, want):
    assert told(kind, **envelope).severity is want


def test_members_of_other_types_are_no_attributes():
    message = told("terminal", record_id=5, request_id=None, revision="", outcome="allow", reasons=["x"], trace_id=7)
    assert message.attributes == {"outcome": "allow"}
    assert message.trace_id is None
