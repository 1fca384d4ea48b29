# SPDX-License-Identifier: Apache-2.0
"""A row is read as the specification says, and an envelope of another shape stops nothing."""

import pytest

from controlplane.exports.formats import FORMATS
from controlplane.exports.rows import EnvelopeReader, content_of, model_of, policies_of, reason_codes, rules_of
from tests.exported import make_row, row_of


def test_members_of_another_type_read_as_not_there():
    reader = EnvelopeReader({"a": {"n": True, "t": 3, "big": 2**63, "f": 1, "l": {"x": 1}}, "b": []})
    assert [reader.number("a", "n"), reader.number("a", "big"), reader.number("b", "n")] == [None, None, None]
    assert [reader.text("a", "t"), reader.text("a"), reader.text("c", "d")] == [None, None, None]
    assert [reader.flag("a", "f"), list(reader.each("a", "l")), reader.texts("a", "l")] == [None, [], []]
    assert (reader.flag("a", "n"), reader.number("a", "f"), reader.number("a", "t")) == (True, 1, 3)


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize(
    "envelope",
    [
        pytest.param({}, id="empty"),
        pytest.param([], id="no object"),
        pytest.param({"http": 3, "findings": [1, None], "reasons": "x", "engines": [{"answers": 4}]}, id="other types"),
        pytest.param({"time": "yesterday", "seq": 2**70, "subject": [], "resource": {"type": "model"}}, id="nonsense"),
        pytest.param({"source": {"seq": 2**70}, "http": {"status": -(2**64)}}, id="numbers beyond 64 bits"),
    ],
)
def test_an_envelope_of_any_shape_can_be_written(name, envelope):
    assert b"".join(FORMATS[name].encode([row_of(envelope)], include=()))


def test_who_took_part():
    finding = {"detector": "iban", "policy": "answers", "rule": "bank", "action": "replace", "count": 2}
    row = make_row(outcome="deny", reasons=(("access-denied", "caps"), ("access-denied", "caps")), findings=[finding])
    assert reason_codes(row) == ["access-denied"]
    assert policies_of(row) == ["chat-access", "caps", "answers"]
    assert rules_of(row) == ["answers/bank"]
    assert (model_of(row), model_of(make_row(resource={"type": "list", "id": "x"}))) == ("parrot", None)


@pytest.mark.parametrize(
    ("payload", "want"),
    [
        pytest.param(None, (None, None), id="erased"),
        pytest.param(b"\xff", (None, None), id="no text"),
        pytest.param(b"[]", (None, None), id="no object"),
        pytest.param(b'{"input":' + b"[" * 100_000, (None, None), id="deep"),
        pytest.param(b'{"input":NaN}', (None, None), id="no JSON number"),
        pytest.param(b'{"input":"\\ud800"}', (None, None), id="half a surrogate pair"),
        pytest.param(b'{"subject":{"type":"user"}}', (None, None), id="a subject without id"),
        pytest.param(
            b'{"subject":{"type":"user","id":"alice"},"input":{"b":"\xc3\xa9","a":1}}',
            ("user:alice", '{"a":1,"b":"\\u00e9"}'),
            id="whole",
        ),
    ],
)
def test_a_payload_is_read_or_is_not_there(payload, want):
    assert content_of(payload) == want
