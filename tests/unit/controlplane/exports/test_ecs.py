# SPDX-License-Identifier: Apache-2.0
"""Documents have the fields that ECS 9.4 names, with the words that it allows."""

import json
from pathlib import Path

import pytest

from controlplane.exports.columns import Content
from controlplane.exports.ecs import document_of, encode
from tests.exported import every_kind_of_row, make_row, row_of

GOLDEN = Path(__file__).resolve().parents[3] / "golden" / "exports" / "decisions.ecs.ndjson"
FIELDS = {
    "@timestamp", "ecs.version", "message", "event.kind", "event.category", "event.type", "event.outcome", "event.action",
    "event.code", "event.reason", "event.id", "event.module", "event.dataset", "event.provider", "event.sequence",
    "event.created", "event.duration", "event.hash", "event.original", "user.id", "user.name", "related.user",
    "http.request.id", "http.request.method", "http.request.body.bytes", "http.response.status_code",
    "http.response.body.bytes", "gen_ai.operation.name", "gen_ai.request.model", "rule.id", "rule.name", "rule.ruleset",
    "rule.version", "trace.id", "organization.id", "service.name", "service.type", "service.environment",
    "service.ephemeral_id", "service.node.name",
}  # fmt: skip
# The types that ECS expects of the two categories.
TYPES = {
    "access",
    "admin",
    "allowed",
    "change",
    "creation",
    "deletion",
    "denied",
    "end",
    "info",
    "start",
    "user",
    "error",
}


def fields_of(members: dict, path: str = "") -> set[str]:
    found = set()
    for name, value in members.items():
        found |= fields_of(value, f"{path}{name}.") if isinstance(value, dict) else {path + name}
    return found


@pytest.mark.parametrize("row", [*every_kind_of_row(), row_of({})])
def test_fields_and_words_are_those_of_the_schema(row):
    document = document_of(row, list(Content))
    own = {field for field in fields_of(document) if not field.startswith("labels.")}
    assert own <= FIELDS
    assert document["event"]["outcome"] in {"success", "failure", "unknown"}
    assert set(document["event"]["type"]) <= TYPES
    assert all(isinstance(value, str | int) for value in document.get("labels", {}).values())


def test_a_refusal_is_not_told_as_allowed():
    event = document_of(make_row(outcome="deny", reasons=(("access-denied", "p"),)))["event"]
    assert (event["type"], event["outcome"], event["code"]) == (["access", "denied"], "failure", "access-denied")
    assert document_of(row_of({}))["event"]["type"] == ["access", "denied", "error"]


def test_nothing_of_the_payload_is_there_unless_asked_for():
    assert "alice" not in json.dumps(document_of(make_row()))
    shown = document_of(make_row(), [Content.SUBJECT])
    assert shown["user"]["name"] == shown["related"]["user"][1] == "user:alice"


def test_the_envelope_goes_along():
    row = make_row()
    assert document_of(row)["event"]["original"].encode() == row.envelope


def test_golden(update_golden):
    written = b"".join(encode(every_kind_of_row(), include=[Content.SUBJECT]))
    if update_golden:
        GOLDEN.write_bytes(written)
    assert GOLDEN.read_bytes() == written
