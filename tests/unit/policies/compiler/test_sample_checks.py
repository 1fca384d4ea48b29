# SPDX-License-Identifier: Apache-2.0
import json

import pytest

from policies.compiler.redaction_checks import check_redactions
from policies.document.loader import load_documents

BADGE = {
    "id": "badge",
    "patterns": [{"expression": r"B-(?P<value>\d{7})"}],
    "validator": "luhn",
    "context": ["badge"],
    "finds": ["my badge B-1234566", "B-1234566"],
    "ignores": ["my badge B-1234567", "AB-1234566", "B-12345667"],
}
OTHER = {"id": "other", "patterns": [{"expression": r"\d{7}"}], "finds": ["B-1234567"]}


def problems(*detectors):
    rule = {"id": "a", "detectors": ["all"], "action": "replace"}
    spec = {"rules": [rule], "detectors": list(detectors)}
    document = {"kind": "redaction", "id": "own", "version": "1", "spec": spec}
    found = check_redactions(load_documents({"r.json": json.dumps(document).encode()}), ())
    return [(each.code, each.at.pointer.removeprefix("/spec/detectors/"), each.message) for each in found]


def test_samples_that_are_found_and_left_alone_are_right():
    assert problems(BADGE, OTHER) == []


@pytest.mark.parametrize(
    ("said", "code", "place", "message"),
    [
        ({"finds": ["B-1234566", "B-1234567"]}, "sample-not-found", "0/finds/1", "finds nothing in this text"),
        ({"finds": ["B-1234566 B-2345676"]}, "sample-not-found", "0/finds/0", "finds 2 in this text"),
        ({"ignores": ["x", "B-1234566"]}, "sample-found", "0/ignores/1", "finds something"),
        ({"needs_context": True}, "sample-not-found", "0/finds/1", "finds nothing"),
    ],
)
def test_a_sample_that_goes_otherwise_is_told_at_its_place(said, code, place, message):
    (problem,) = problems(BADGE | said, OTHER)
    assert problem[:2] == (code, place)
    assert message in problem[2]


def test_samples_are_read_as_texts_are():
    assert problems(BADGE | {"finds": ["B-１２３４５６６", "QmFkZ2UgaXMgQi0xMjM0NTY2IQ=="]}) == []


@pytest.mark.parametrize(
    ("own", "wrong"),
    [
        ({"id": "names", "values": ["names"]}, True),
        ({"id": "names", "values": ["marzipan", "redacted"]}, True),
        ({"id": "names", "values": ["Names"]}, False),
    ],
)
def test_what_finds_its_own_placeholder_is_refused(own, wrong):
    spec = {"rules": [{"id": "a", "detectors": ["names"], "action": "replace"}], "literals": [own]}
    document = {"kind": "redaction", "id": "own", "version": "1", "spec": spec}
    found = check_redactions(load_documents({"r.json": json.dumps(document).encode()}), ())
    assert [(each.code, each.at.pointer) for each in found] == [("finds-placeholder", "/spec/literals/0/id")] * wrong
