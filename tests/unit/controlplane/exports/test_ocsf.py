# SPDX-License-Identifier: Apache-2.0
"""Events satisfy what OCSF 1.8.0 asks of class 6003 with our three profiles."""

import json
from pathlib import Path

import pytest

from controlplane.exports.columns import Content
from controlplane.exports.ocsf import encode, event_of
from tests.exported import every_kind_of_row, make_row, row_of

GOLDEN = Path(__file__).resolve().parents[3] / "golden" / "exports" / "decisions.ocsf.ndjson"

INTEGERS = {
    "activity_id", "category_uid", "class_uid", "type_uid", "time", "severity_id", "status_id", "duration", "raw_data_size",
    "action_id", "disposition_id", "sequence", "logged_time", "type_id", "code", "body_length", "latency", "ai_role_id",
    "algorithm_id", "log_index", "first_index", "serial",
}  # fmt: skip
REQUIRED = {
    "": {"activity_id", "category_uid", "class_uid", "metadata", "severity_id", "time", "type_uid", "actor", "api", "src_endpoint"},
    "metadata": {"product", "version"},
    "api": {"operation"},
    "ai_model": {"name", "ai_provider"},
    "trace": {"uid"},
    "http_response": {"code"},
    "raw_data_hash": {"algorithm_id", "value"},
}  # fmt: skip
AT_LEAST_ONE = {
    "actor": {"user"},
    "actor/user": {"name", "uid"},
    "src_endpoint": {"name", "uid", "ip", "svc_name"},
    "dst_endpoint": {"name", "uid", "ip", "svc_name"},
    "message_context": {"application", "service"},
    "policy": {"name", "uid"},
    "firewall_rule": {"name", "uid"},
    "metadata/product": {"name", "uid"},
}
ENUMS = {
    "activity_id": {0, 1, 2, 3, 4, 99},
    "severity_id": {0, 1, 2, 3, 4, 5, 6, 99},
    "status_id": {0, 1, 2, 99},
    "action_id": {0, 1, 2, 3, 4, 99},
    "disposition_id": {*range(28), 99},
    "ai_role_id": {*range(7), 99},
    "type_id": {0, 1, 2, 3, 4, 99},
}


def broken_rules(members: dict, path: str = "") -> list[str]:
    found = [f"{path} lacks {name}" for name in REQUIRED.get(path, set()) - members.keys()]
    if path in AT_LEAST_ONE and not AT_LEAST_ONE[path] & members.keys():
        found.append(f"{path} names nothing")
    for name, value in members.items():
        below = f"{path}/{name}".lstrip("/")
        found += [f"{below} is empty"] if value is None else []
        found += [f"{below} is no integer"] if (name in INTEGERS) != (type(value) is int) else []
        found += [f"{below} is {value}"] if name in ENUMS and value not in ENUMS[name] else []
        if isinstance(value, dict) and below != "unmapped":
            found += broken_rules(value, below)
    return found


@pytest.mark.parametrize("row", [*every_kind_of_row(), row_of({}), row_of({"http": {"method": "TRACE"}})])
@pytest.mark.parametrize("include", [(), tuple(Content)], ids=["envelope", "content"])
def test_events_keep_the_rules_of_the_class(row, include):
    event = event_of(row, include)
    assert broken_rules(event) == []
    assert event["type_uid"] == 600300 + event["activity_id"]


def test_the_rules_can_be_broken():
    broken = event_of(make_row()) | {"severity_id": "1", "actor": {"user": {}}, "action_id": 9}
    del broken["api"]
    assert len(broken_rules(broken)) == 5


def test_golden(update_golden):
    written = b"".join(encode(every_kind_of_row(), include=[Content.SUBJECT]))
    if update_golden:
        GOLDEN.write_bytes(written)
    assert GOLDEN.read_bytes() == written


def test_nothing_of_the_payload_is_there_unless_asked_for():
    assert "alice" not in json.dumps(event_of(make_row()))
    assert event_of(make_row(), [Content.SUBJECT])["actor"]["user"]["name"] == "user:alice"


def test_the_envelope_goes_along():
    row = make_row()
    assert event_of(row)["raw_data"].encode() == row.envelope
