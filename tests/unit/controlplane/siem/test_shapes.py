# SPDX-License-Identifier: Apache-2.0
"""Entries in the shapes that sinks know."""

import json

import pytest

from controlplane.services.records import LogEntry
from controlplane.siem.messages import message_of, read_envelope
from controlplane.siem.shapes import writer_of
from controlplane.siem.sinks import Shape
from tests.records import NOON, make_record

GAP = (
    b'{"environment":null,"kind":"gap","record_id":"gap_1","schema":"gatehouse.gap/1","tenant":"default",'
    b'"time":"2026-11-20T12:00:00Z"}'
)


def entry(envelope: bytes, kind: str) -> LogEntry:
    return LogEntry(log_index=3, kind=kind, received_at=NOON, envelope=envelope, payload=None, leaf_hash=b"")


DECISION = entry(make_record(model="é\n", outcome="deny", reasons=(("access-denied", "p"),)).envelope, "terminal")


@pytest.mark.parametrize("shape", Shape)
@pytest.mark.parametrize("logged", [DECISION, entry(GAP, "gap")], ids=["decision", "gap"])
def test_every_shape_is_one_line_of_ascii_json(shape, logged):
    text = writer_of(shape)(logged, read_envelope(logged.envelope))
    assert b"\n" not in text
    assert isinstance(json.loads(text.decode("ascii")), dict)


def test_the_record_stands_as_the_log_has_it():
    text = json.loads(writer_of(Shape.RECORD)(DECISION, read_envelope(DECISION.envelope)))
    assert text["entry"] == json.loads(DECISION.envelope)
    assert (text["log_index"], text["kind"], text["received_at"]) == (3, "terminal", "2026-11-20T12:00:00Z")


def test_a_gap_is_an_alert():
    gap = entry(GAP, "gap")
    assert json.loads(writer_of(Shape.ECS)(gap, read_envelope(GAP)))["event"]["kind"] == "alert"
    assert json.loads(writer_of(Shape.OCSF)(gap, read_envelope(GAP)))["severity_id"] == 4


@pytest.mark.parametrize("shape", [Shape.OCSF, Shape.ECS])
def test_what_retention_dropped_is_not_written(shape):
    gone = LogEntry(log_index=3, kind="terminal", received_at=NOON, envelope=None, payload=None, leaf_hash=b"")
    with pytest.raises(ValueError, match="dropped"):
        writer_of(shape)(gone, {})


def test_a_message_names_why():
    message = message_of(DECISION, read_envelope(DECISION.envelope), b"{}")
    assert message.attributes["reasons"] == "access-denied"
    assert message.attributes["outcome"] == "deny"
    assert message.kind == "terminal"
