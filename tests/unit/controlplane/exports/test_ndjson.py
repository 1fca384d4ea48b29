# SPDX-License-Identifier: Apache-2.0
"""A line has the envelope as it is stored, and gives it back byte for byte."""

import json

from hypothesis import given
from hypothesis import strategies as st

from controlplane.exports.columns import Content
from controlplane.exports.ndjson import encode
from policies.contracts.codec import canonical_bytes
from tests.exported import every_kind_of_row, make_row, row_of


def test_a_line_is_the_envelope_and_where_it_stands():
    row = make_row(3)
    [line] = encode([row])
    assert (
        line
        == b'{"envelope":' + row.envelope + b',"first_index":3,"log_index":3,"received_at":"2026-11-20T12:00:00Z"}\n'
    )


def test_content_is_there_only_where_it_was_asked_for():
    [line] = encode([make_row()], include=[Content.SUBJECT, Content.INPUT])
    assert {name: json.loads(line)[name] for name in ("subject", "input")} == {"subject": "user:alice", "input": {}}
    [erased] = encode([row_of({})], include=[Content.SUBJECT, Content.INPUT])
    assert json.loads(erased)["subject"] is json.loads(erased)["input"] is None


def test_the_file_is_the_same_every_time():
    rows = every_kind_of_row()
    assert b"".join(encode(rows)) == b"".join(encode(every_kind_of_row()))


@given(st.dictionaries(st.text(max_size=9), st.one_of(st.text(), st.integers(-(2**53) + 1, 2**53 - 1), st.none())))
def test_the_envelope_comes_back_byte_for_byte(envelope):
    [line] = encode([row_of(envelope)])
    assert line.count(b"\n") == 1
    assert canonical_bytes(json.loads(line)["envelope"]) == canonical_bytes(envelope)
