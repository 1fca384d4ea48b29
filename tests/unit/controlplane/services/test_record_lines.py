# SPDX-License-Identifier: Apache-2.0
"""A line becomes a record, or says why it never will: strictly, whichever of the two readers decided."""

import hashlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlplane.services import record_lines
from controlplane.services.record_lines import UnreadableLine, put_aside, read_line
from controlplane.services.records import SOURCE_SCHEMA
from policies.contracts.codec import canonical_bytes
from policies.contracts.record import DecisionRecord
from tests.log_entries import T, of_source
from tests.records import make_record

PAYLOAD = b'{"salt":"5a"}'


def line_of(envelope: bytes, payload: bytes = PAYLOAD) -> bytes:
    return json.dumps({"envelope": envelope.decode(), "payload": payload.decode()}, separators=(",", ":")).encode()


def envelope_with(**members: Any) -> bytes:
    read = json.loads(make_record().envelope) | {"payload_digest": "sha256:" + hashlib.sha256(PAYLOAD).hexdigest()}
    return canonical_bytes({key: value for key, value in (read | members).items() if value is not ...})


def source_envelope(**members: Any) -> bytes:
    return canonical_bytes(json.loads(of_source("start", 1, previous=None).envelope) | members)


def reason_of(line: bytes) -> str | None:
    try:
        read_line(line, tenant=T)
    except UnreadableLine as exc:
        return exc.reason
    return None


def test_the_bytes_of_a_record_are_kept_as_they_came():
    record = make_record(seq=7, model="modèle ☃")
    read = read_line(record.to_line(), tenant=T)
    assert (read.envelope, read.payload, read.seq) == (record.envelope, record.payload, 7)
    assert read.leaf_hash == hashlib.sha256(b"\0" + record.envelope).digest()
    assert read.members == json.loads(record.envelope)


@pytest.mark.parametrize(
    ("line", "want"),
    [
        pytest.param(b"{", "line-not-json", id="not JSON"),
        pytest.param(b'{"envelope":"a","envelope":"b","payload":"c"}', "line-not-json", id="a member twice"),
        pytest.param(b'{"envelope":"a","payload":1.5}', "line-not-a-record", id="a float"),
        pytest.param(b'{"envelope":"a"}', "line-not-a-record", id="no payload"),
        pytest.param(b'{"envelope":"a","payload":"b","more":1}', "line-not-a-record", id="one member more"),
        pytest.param(b'["envelope","payload"]', "line-not-a-record", id="an array"),
        pytest.param(b'{"envelope":"\\ud800","payload":""}', "line-not-unicode", id="half a character"),
        pytest.param(b'{"envelope":"\xff","payload":""}', "line-not-json", id="not UTF-8"),
        pytest.param(line_of(b"x" * 8193), "envelope-too-large", id="a large envelope"),
        pytest.param(line_of(b"{}", b"x" * (1024 * 1024 + 1)), "payload-too-large", id="a large payload"),
        pytest.param(line_of(b"{"), "envelope-not-json", id="an envelope that is not JSON"),
        pytest.param(line_of(b"[]"), "envelope-not-canonical", id="an envelope that is no object"),
        pytest.param(line_of(b'{"b":1,"a":2}'), "envelope-not-canonical", id="not in order"),
        pytest.param(line_of(b'{"a":1,"a":1}'), "envelope-not-json", id="a member of it twice"),
        pytest.param(line_of(b'{"a": 1}'), "envelope-not-canonical", id="a space"),
        pytest.param(line_of(b'{"a":1.0}'), "envelope-not-json", id="a float in it"),
        pytest.param(line_of(b'{"a":1e20}'), "envelope-not-json", id="an exponent in it"),
        pytest.param(line_of(b'{"a":-0}'), "envelope-not-canonical", id="less than nothing"),
        pytest.param(line_of(b'{"a":NaN}'), "envelope-not-json", id="not a number"),
        pytest.param(line_of(b'{"a":"\\u0041"}'), "envelope-not-canonical", id="an escape too many"),
        pytest.param(line_of(b"[" * 5000), "envelope-not-json", id="deep"),
        pytest.param(line_of(b'{"schema":"another/1"}'), "schema-unknown", id="another schema"),
        pytest.param(line_of(b'{"schema":["gatehouse.decision/1"]}'), "schema-unknown", id="a schema that is a list"),
        pytest.param(line_of(envelope_with(), b"{}"), "payload-digest-differs", id="another payload"),
        pytest.param(line_of(envelope_with(payload_digest=None), b""), "payload-digest-differs", id="no digest"),
        pytest.param(line_of(envelope_with(tenant="other")), "tenant-differs", id="another tenant"),
        pytest.param(line_of(envelope_with(kind="start")), "envelope-invalid", id="a kind of another schema"),
        pytest.param(line_of(envelope_with(outcome="maybe")), "envelope-invalid", id="an unknown outcome"),
        pytest.param(line_of(envelope_with(request_id=...)), "envelope-invalid", id="no request"),
        pytest.param(line_of(envelope_with()), None, id="a record"),
        pytest.param(b" " + line_of(envelope_with()) + b"\r", None, id="a record with spaces around it"),
        pytest.param(line_of(envelope_with(added={"b": 1, "a": [2**53 - 1]})), None, id="a member that is not known"),
        pytest.param(line_of(envelope_with(added="1.5, [2.5")), None, id="what looks like a float in a text"),
        pytest.param(line_of(envelope_with(**{"\U00010000": 1, "\uffff": 2})), None, id="names beyond the basic plane"),
        pytest.param(line_of(source_envelope(), b""), None, id="a record of a source"),
        pytest.param(line_of(source_envelope(), b"{}"), "payload-digest-differs", id="with a payload"),
        pytest.param(
            line_of(source_envelope(payload_digest="sha256:" + hashlib.sha256(b"{}").hexdigest()), b"{}"),
            "payload-unexpected",
            id="with a payload and its digest",
        ),
        pytest.param(line_of(source_envelope(kind="terminal"), b""), "envelope-invalid", id="of a kind of requests"),
        pytest.param(line_of(source_envelope(kind="gap"), b""), "envelope-invalid", id="of a kind of the log's own"),
        pytest.param(line_of(source_envelope(previous={"boot_id": "b"}), b""), "envelope-invalid", id="half a boot"),
        pytest.param(line_of(source_envelope(schema="gatehouse.gap/1"), b""), "schema-unknown", id="a gap"),
        pytest.param(line_of(source_envelope(schema="gatehouse.admin/1"), b""), "schema-unknown", id="administration"),
    ],
)
def test_why_a_line_is_no_record(line, want):
    assert reason_of(line) == want


@given(st.data())
def test_both_readers_agree_about_any_envelope(data):
    """The quick reader is only ever a shortcut: what it takes, the strict one would take, and the same."""
    names = st.text(st.characters(exclude_categories=("Cs",)), max_size=3)
    scalars = st.none() | st.booleans() | st.integers() | st.floats() | names
    value = data.draw(
        st.dictionaries(names, st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(names, inner)))
    )
    text = json.dumps(
        value,
        ensure_ascii=data.draw(st.booleans()),
        separators=data.draw(st.sampled_from([(",", ":"), (", ", ": ")])),
        sort_keys=data.draw(st.booleans()),
    ).encode()
    assert _outcome(record_lines._envelope, text) == _outcome(_strictly, text)


def test_a_quarantined_line_is_cut_but_known_by_all_of_it():
    line = b"x" * 100_000
    kept = put_aside(line, tenant=T, reason="line-not-json")
    assert (len(kept.line), kept.digest) == (64 * 1024, "sha256:" + hashlib.sha256(line).hexdigest())


def test_a_record_of_a_source_has_no_payload_and_no_request():
    envelope = source_envelope(previous={"boot_id": "b9", "seq": 3})
    read = read_line(DecisionRecord(envelope, b"").to_line(), tenant=T)
    assert (read.kind, read.request_id, read.payload, read.members["schema"]) == ("start", None, None, SOURCE_SCHEMA)


def _strictly(text: bytes) -> Any:
    value = record_lines._json(text, "envelope-not-json")
    if not isinstance(value, dict) or not record_lines._is_canonical(text, value):
        raise UnreadableLine("envelope-not-canonical")
    return value


def _outcome(read: Any, text: bytes) -> Any:
    try:
        return read(text)
    except UnreadableLine as exc:
        return exc.reason
