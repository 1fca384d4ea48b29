# SPDX-License-Identifier: Apache-2.0
"""What is refused at publish, with the place that its author is told."""

import json
import sys

import pytest

from policies.compiler.redaction_checks import check_redactions
from policies.detectors import presidio
from policies.detectors.catalogue import Entry
from policies.document.loader import load_documents
from policies.scanning.databases import CannotScan, Databases

OURS = (Entry("email", "contact"), Entry("aws-key", "secrets-cloud"))
RULE = {"id": "a", "detectors": ["all"], "action": "replace"}
BADGE = {"id": "badge", "patterns": [{"expression": r"B-\d{6}"}], "finds": ["B-123456"]}
REAL = {"expression": r"B-\d{6}"}


def found(**spec):
    document = {"kind": "redaction", "id": "own", "version": "1", "spec": {"rules": [RULE], **spec}}
    return list(check_redactions(load_documents({"r.json": json.dumps(document).encode()}), OURS))


def expressions(*patterns: dict, **spec):
    return found(detectors=[BADGE | {"patterns": [REAL, *patterns]}], **spec)


@pytest.mark.parametrize("said", ["email", "contact", "secrets", "secrets-cloud", "all", "badge", "names"])
def test_a_rule_may_say_what_there_is(said):
    own = {"detectors": [BADGE], "literals": [{"id": "names", "values": ["marzipan"]}]}
    assert found(rules=[RULE, {"id": "b", "detectors": [said], "action": "block"}], **own) == []


@pytest.mark.parametrize(
    ("said", "fix"),
    [
        ("emial", "Is 'email' meant?"),
        ("bagde", "Is 'badge' meant?"),
        ("xyz", "There are: all, aws-key, badge, contact, email, secrets, secrets-cloud."),
        ("secret", "Is 'secrets' or 'secrets-cloud' meant?"),
    ],
)
def test_a_name_that_there_is_not_is_told_with_those_like_it(said, fix):
    (problem,) = found(rules=[RULE, {"id": "b", "detectors": ["email", said], "action": "hash"}], detectors=[BADGE])
    assert (problem.code, problem.at.pointer) == ("unknown-detector", "/spec/rules/1/detectors/1")
    assert problem.fix == fix


@pytest.mark.parametrize("said", ["person", "place", "presidio"])
def test_what_is_not_installed_is_refused_with_what_to_install(said, monkeypatch):
    monkeypatch.setitem(sys.modules, "presidio_analyzer", None)
    (problem,) = found(rules=[RULE, {"id": "b", "detectors": [said], "action": "block"}], detectors=[BADGE])
    assert (problem.code, problem.at.pointer) == ("detector-not-installed", "/spec/rules/1/detectors/0")
    assert problem.message == f"{said!r} is recognised by Presidio, and presidio_analyzer is not installed."
    assert problem.fix.startswith("Install presidio-analyzer and a model of spaCy")


def test_what_is_installed_may_be_said(monkeypatch):
    monkeypatch.setattr(presidio, "model", lambda: "en_core_web_lg")
    rules = [RULE, {"id": "b", "detectors": ["person", "place"], "action": "block"}]
    assert found(rules=rules, detectors=[BADGE]) == []


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        pytest.param({"expression": r"B-\d{6}(?!x)"}, "expression: column 8: ", id="look-ahead"),
        pytest.param({"expression": r"(?<=x)B"}, "expression: column 1: ", id="look-behind"),
        pytest.param({"expression": r"(B)\1"}, "expression: column 4: ", id="back-reference"),
        pytest.param({"expression": "^B"}, "expression: column 1: no anchor", id="anchor"),
        pytest.param({"expression": "B["}, "expression: column 2: a class is not closed", id="open-class"),
        pytest.param({"expression": "(B-)?x*"}, "expression: it matches nothing at all", id="empty"),
        pytest.param({"expression": "B-x+"}, "expression: what it matches has no longest length", id="no-limit"),
        pytest.param({"expression": "(?:x{4096}){8}"}, "expression: with its repetitions written out", id="too-large"),
        pytest.param({"expression": "(?:x?y?){2048}z"}, "expression: with its repetitions", id="one-too-large"),
        pytest.param({"expression": "Müller"}, "expression: column 2: texts are scanned", id="another-character"),
        pytest.param({"expression": "x\u200by"}, "expression: column 2: texts are scanned", id="unseen-character"),
        pytest.param({"expression": r"(?:\w+-)+(?P<value>x)"}, "expression: beside a value", id="winding"),
        pytest.param({"expression": r"(?:ab|c)*(?P<value>x)", "alone": ""}, "expression: beside", id="winding-choice"),
        pytest.param({"expression": r"(?:\w{4}[ -])?(?:[ab]|c){3}(?P<value>x)"}, None, id="straight"),
        pytest.param({"expression": "x", "alone": "a-"}, None, id="a-class-with-a-dash"),
        pytest.param({"expression": "x", "alone": "z-a"}, "alone: column 1: a range goes", id="a-class-turned-round"),
    ],
)
def test_an_expression_that_cannot_be_looked_for_is_refused_at_its_place(pattern, message):
    problems = expressions(pattern)
    if message is None:
        assert problems == []
        return
    (problem,) = problems
    assert problem.message.startswith(f"spec.detectors[0].patterns[1].{message}")
    assert (problem.code, problem.at.pointer[:28]) == ("bad-expression", "/spec/detectors/0/patterns/1")


def test_a_repetition_needs_no_limit_where_the_bound_is_stated():
    assert expressions({"expression": "B-x+"}, hold={"max_bytes": 4096}) == []
    assert expressions({"expression": "B-x+"}, hold={"max_ms": 100}) != []


def test_what_is_wider_than_a_stream_may_hold_is_refused():
    (problem,) = expressions({"expression": "x{2000}"}, hold={"max_bytes": 1024})
    assert "it matches up to 2000 bytes, and a stream holds 1024" in problem.message
    assert expressions({"expression": "x{1024}"}, hold={"max_bytes": 1024}) == []


def test_many_large_expressions_are_refused_together():
    (problem,) = expressions(*[{"expression": f"{number}x{{1000}}"} for number in range(132)])
    assert problem.at.pointer == "/spec/detectors"


def test_in_a_block_scalar_the_place_is_that_in_the_file():
    source = b"""kind: redaction
id: own
version: "1"
spec:
  rules:
    - {id: a, detectors: [badge], action: block}
  detectors:
    - id: badge
      finds: [B-1]
      patterns:
        - expression: |-
            B-$
"""
    (problem,) = check_redactions(load_documents({"r.yaml": source}), OURS)
    assert str(problem.at) == "r.yaml:12:15"


def test_all_that_is_wrong_is_told_at_once():
    assert len(expressions({"expression": "^"}, {"expression": "x*"}, {"expression": "$", "alone": "z-a"})) == 4


def test_an_expression_that_hyperscan_does_not_take_is_refused_at_its_place(monkeypatch):
    def of(patterns, marks=(), *, kept=None):
        if any(pattern.expression == "large" for pattern in patterns):
            raise CannotScan("Pattern is too large.")

    monkeypatch.setattr(Databases, "of", of)
    (problem,) = expressions({"expression": "large"})
    assert problem.at.pointer == "/spec/detectors/0/patterns/1/expression"
    assert problem.message == "spec.detectors[0].patterns[1].expression: Pattern is too large."


@pytest.mark.parametrize("member", ["detectors", "literals"])
def test_what_no_rule_names_is_refused(member):
    own = {"detectors": [BADGE], "literals": [{"id": "names", "values": ["marzipan"]}]}
    rule = {"id": "a", "detectors": ["badge" if member == "literals" else "names"], "action": "block"}
    (problem,) = found(rules=[rule], **own)
    assert (problem.code, problem.at.pointer) == ("unused-detector", f"/spec/{member}/0/id")


def test_a_literal_of_which_too_little_is_seen_is_refused():
    (problem,) = found(literals=[{"id": "names", "values": ["marzipan", "ab\u200b\u200b"]}])
    assert (problem.code, problem.at.pointer) == ("literal-too-short", "/spec/literals/0/values/1")
