# SPDX-License-Identifier: Apache-2.0
"""Parts of an archive are read strictly: each refusal is one exception, whatever the bytes are."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlplane.audit.archive_reading import (
    PartMalformed,
    lines_of,
    parse_earlier,
    parse_entry_line,
    parse_json,
    parse_manifest,
    parse_range_proof,
)
from controlplane.audit.strict_text import to_base64

HASH = to_base64(bytes(32))
MANIFEST = {
    "schema": "gatehouse.archive/1",
    "tenant": "acme",
    "origin": "audit.example/acme",
    "first": 0,
    "end": 3,
    "size": 3,
    "files": {"checkpoint": "sha256:00"},
}
LINE = {"index": 1, "leaf_hash": HASH, "envelope": "{}"}
PROOF = {"first": 0, "end": 1, "size": 1, "left": [], "right": [HASH]}


@pytest.mark.parametrize(
    ("parse", "value"),
    [
        (parse_manifest, MANIFEST),
        (parse_entry_line, LINE),
        (parse_entry_line, {"index": 1, "envelope": "{}"}),
        (parse_entry_line, {"index": 1, "leaf_hash": HASH, "dropped": True}),
        (parse_range_proof, PROOF),
        (parse_earlier, {"checkpoint": "note", "proof": [HASH]}),
    ],
)
def test_what_is_as_specified_is_read(parse, value):
    assert parse(json.dumps(value).encode())


BAD = [
    *(
        (parse_manifest, {**MANIFEST, **bad})
        for bad in (
            {"schema": "gatehouse.archive/2"},
            {"first": 4},
            {"end": 4},
            {"size": 2**63},
            {"first": -1},
            {"first": True},
            {"first": "0"},
            {"files": []},
            {"files": {"a": 1}},
            {"origin": None},
        )
    ),
    *(
        (parse_entry_line, {**LINE, **bad})
        for bad in (
            {"index": -1},
            {"index": 1.0},
            {"index": 2**70},
            {"envelope": None},
            {"envelope": {}},
            {"dropped": True},
            {"leaf_hash": HASH[:-1]},
            {"leaf_hash": 7},
            {"payload": 7},
            {"more": 1},
        )
    ),
    (parse_entry_line, {"index": 1, "dropped": True}),
    (parse_entry_line, {"index": 1, "leaf_hash": HASH, "dropped": False}),
    (parse_range_proof, {**PROOF, "left": HASH}),
    (parse_range_proof, {**PROOF, "left": [7]}),
    (parse_range_proof, {**PROOF, "right": ["AA=="]}),
    (parse_earlier, {"checkpoint": 7, "proof": []}),
    (parse_earlier, {"checkpoint": "note"}),
]


@pytest.mark.parametrize(("parse", "value"), BAD)
def test_anything_else_is_refused(parse, value):
    with pytest.raises(PartMalformed):
        parse(json.dumps(value).encode())


@pytest.mark.parametrize(
    "data", [b"", b"[]", b"7", b"\xff", b"{", b"[" * 100_000, b'{"a":' * 100_000, b"1" * 100_000, b'{"a":"\\ud800"}']
)
def test_no_bytes_end_it_otherwise(data):
    for parse in (parse_manifest, parse_entry_line, parse_range_proof, parse_earlier):
        with pytest.raises(PartMalformed):
            parse(data)


def test_what_is_nested_too_deep_is_no_json():
    with pytest.raises(PartMalformed):
        parse_json(b"[" * 5000 + b"]" * 5000)


@given(st.lists(st.binary(max_size=9).filter(lambda line: b"\n" not in line)), st.integers(1, 9), st.booleans())
def test_lines_are_the_same_however_they_were_cut(lines, cut, ended):
    data = b"".join(line + b"\n" for line in lines) + (b"" if ended else b"x")
    pieces = [data[at : at + cut] for at in range(0, len(data), cut)]
    assert list(lines_of(pieces)) == [*lines, *([] if ended else [b"x"])]


def test_a_line_that_never_ends_is_read_no_further_than_allowed():
    read = []

    def pieces():
        for number in range(1000):
            read.append(number)
            yield bytes(100)

    with pytest.raises(PartMalformed, match="more than 1000 bytes"):
        list(lines_of(pieces(), longest=1000))
    assert len(read) == 11
