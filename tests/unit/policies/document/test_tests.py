# SPDX-License-Identifier: Apache-2.0
"""The texts that tests try redaction on; what tests ask of decisions is tried in `test_loader.py`."""

import json

import pytest

from policies.contracts.errors import PolicyRejected
from policies.contracts.snapshot import Direction, FieldClass
from policies.document.loader import load_documents
from policies.document.model import Expectation, PolicyTest, TextOfTest

REQUEST = {"subject": "user:alice", "operation": "chat.completions", "model": "parrot"}
RULE = {"id": "a", "detectors": ["email"], "action": "replace"}


def read(**said) -> PolicyTest:
    written = {"name": "a test", "request": REQUEST, "expect": {"blocked": False}} | said
    document = {"kind": "redaction", "id": "r", "version": "1", "spec": {"rules": [RULE]}, "tests": [written]}
    (loaded,) = load_documents({"r.json": json.dumps(document).encode()})
    return loaded.tests[0]


@pytest.mark.parametrize(
    ("said", "direction", "field"),
    [
        ({"text": "x"}, Direction.ANSWER, FieldClass.ASSISTANT_TEXT),
        ({"text": "x", "direction": "request"}, Direction.REQUEST, FieldClass.USER),
        ({"text": "x", "direction": "request", "field": "system"}, Direction.REQUEST, FieldClass.SYSTEM),
        ({"text": "x", "field": "reasoning"}, Direction.ANSWER, FieldClass.REASONING),
        ({"answer": "x"}, Direction.ANSWER, FieldClass.ASSISTANT_TEXT),
    ],
)
def test_a_text_has_a_place(said, direction, field):
    assert read(**said).text == TextOfTest(text="x", direction=direction, field=field)


def test_what_is_expected_of_a_text_is_read():
    got = read(text="x", expect={"redacted": "y", "blocked": False, "findings": ["email", "badge", "other/badge"]})
    assert got.expect == Expectation(redacted="y", blocked=False, findings=("badge", "email", "other/badge"))


@pytest.mark.parametrize(
    ("said", "want"),
    [
        pytest.param({}, [("member-missing", "")], id="blocked-without-a-text"),
        pytest.param({"expect": {"findings": []}}, [("member-missing", "")], id="findings-without-a-text"),
        pytest.param(
            {"expect": {"effect": "allow"}, "direction": "request", "field": "user"},
            [("option-without-effect", "/direction"), ("option-without-effect", "/field")],
            id="a-place-without-a-text",
        ),
        pytest.param({"answer": "x", "text": "y"}, [("option-without-effect", "/text")], id="two-texts"),
        pytest.param({"answer": "x", "field": "user"}, [("option-without-effect", "/field")], id="an-answer-elsewhere"),
        pytest.param({"text": "x", "direction": "in"}, [("unknown-value", "/direction")], id="direction"),
        pytest.param(
            {"text": "x", "expect": {"findings": ["E-mail"]}}, [("bad-detector", "/expect/findings/0")], id="finding"
        ),
    ],
)
def test_what_is_wrong_is_told_at_its_place(said, want):
    with pytest.raises(PolicyRejected) as rejected:
        read(**said)
    assert [(each.code, each.at.pointer.removeprefix("/tests/0")) for each in rejected.value.diagnostics] == want
