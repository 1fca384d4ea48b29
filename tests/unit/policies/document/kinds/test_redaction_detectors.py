# SPDX-License-Identifier: Apache-2.0
import pytest

from policies.contracts.errors import PolicyRejected
from policies.contracts.snapshot import CustomDetector, CustomPattern, LiteralList
from policies.document.kinds.redaction_detectors import MAX_DISGUISED, MAX_PATTERNS, MAX_VALUES
from policies.document.model import Samples
from tests.unit.policies.document.kinds.test_redaction import problems, spec_of

BADGE = {"id": "badge-number", "patterns": [{"expression": r"B-\d{6}"}], "finds": ["B-123456"]}
NAMES = {"id": "names", "values": ["marzipan"]}


def detector_problems(**said):
    return [(code, at.removeprefix("detectors/0/")) for code, at in problems(detectors=[BADGE | said])]


def test_what_is_left_out_has_its_default():
    got = spec_of(detectors=[BADGE], literals=[NAMES])
    assert got.detectors == (
        CustomDetector(id="badge-number", kind="BADGE_NUMBER", patterns=(CustomPattern(expression=r"B-\d{6}"),)),
    )
    assert got.samples == (Samples(finds=("B-123456",), ignores=()),)
    assert got.literals == (LiteralList(id="names", kind="NAMES", values=("marzipan",)),)


def test_every_member_is_read():
    got = spec_of(
        detectors=[
            {
                "id": "badge",
                "kind": "secret.badge",
                "patterns": [{"expression": "x+", "alone": "", "ignore_case": True}, {"expression": "y"}],
                "validator": "entropy:3.5",
                "context": ["badge", "staff number"],
                "needs_context": True,
                "score_percent": 60,
                "finds": ["badge x"],
                "ignores": ["x"],
            }
        ],
        literals=[
            {"id": "names", "kind": "NAME", "values": ["a b"], "alone": "", "ignore_case": True, "disguised": True}
        ],
    )
    assert got.detectors == (
        CustomDetector(
            id="badge",
            kind="secret.badge",
            patterns=(CustomPattern(expression="x+", alone="", ignore_case=True), CustomPattern(expression="y")),
            validator="entropy:3.5",
            context=("badge", "staff number"),
            needs_context=True,
            score_percent=60,
        ),
    )
    assert got.samples == (Samples(finds=("badge x",), ignores=("x",)),)
    assert got.literals == (
        LiteralList(id="names", kind="NAME", values=("a b",), alone="", ignore_case=True, disguised=True),
    )


@pytest.mark.parametrize(
    ("said", "want"),
    [
        pytest.param({"kind": "badge"}, [("bad-kind", "kind")], id="kind"),
        pytest.param({"patterns": []}, [("too-few", "patterns")], id="no-pattern"),
        pytest.param({"patterns": ["x"]}, [("wrong-type", "patterns/0")], id="pattern-that-is-a-text"),
        pytest.param({"patterns": [{}]}, [("member-missing", "patterns/0")], id="no-expression"),
        pytest.param({"finds": []}, [("too-few", "finds")], id="no-sample"),
        pytest.param({"validator": "lunh"}, [("unknown-validator", "validator")], id="validator"),
        pytest.param({"validator": 7}, [("wrong-type", "validator")], id="validator-that-is-a-number"),
        pytest.param({"needs_context": True}, [("member-missing", "needs_context")], id="no-context"),
        pytest.param({"context": ["x"]}, [("bad-context-word", "context/0")], id="short-context"),
        pytest.param({"context": ["badge", "# 7"]}, [("bad-context-word", "context")], id="context-without-letters"),
        pytest.param({"score_percent": 0}, [("out-of-range", "score_percent")], id="score"),
        pytest.param({"id": "all"}, [("duplicate-id", "id")], id="all"),
        pytest.param({"marzipan": 1}, [("unknown-member", "detectors/0")], id="unknown"),
    ],
)
def test_what_is_wrong_with_a_detector_is_told_at_its_place(said, want):
    assert detector_problems(**said) == want


def test_a_validator_that_is_nearly_right_is_suggested():
    with pytest.raises(Exception, match="Is 'luhn' meant"):
        spec_of(detectors=[BADGE | {"validator": "lunh"}])


def test_a_detector_and_a_list_have_ids_of_their_own():
    twice = [NAMES, NAMES | {"id": "badge-number"}, NAMES]
    assert problems(detectors=[BADGE], literals=twice) == [
        ("duplicate-id", "literals/1/id"),
        ("duplicate-id", "literals/2/id"),
    ]


@pytest.mark.parametrize("value", ["ab", "x" * 257])
def test_literals_are_neither_short_nor_long(value):
    assert problems(literals=[NAMES | {"values": [value]}]) == [("bad-literal", "literals/0/values/0")]


def test_a_literal_that_is_there_twice_is_not_said():
    with pytest.raises(PolicyRejected) as refused:
        spec_of(literals=[NAMES | {"values": ["no secret of ours"] * 2}])
    assert "no secret of ours" not in "".join(map(str, refused.value.diagnostics))


def test_a_document_has_no_more_than_it_may():
    patterns = [{"expression": f"x{number}"} for number in range(MAX_PATTERNS + 1)]
    assert problems(detectors=[BADGE | {"patterns": patterns}]) == [("too-many", "detectors")]
    values = [f"value {number}" for number in range(MAX_VALUES + 1)]
    assert problems(literals=[NAMES | {"values": values}]) == [("too-many", "literals")]
    assert problems(literals=[NAMES | {"values": values[: MAX_DISGUISED + 1], "disguised": True}]) == [
        ("too-many", "literals")
    ]


def test_the_largest_policy_is_read():
    got = spec_of(
        detectors=[BADGE | {"patterns": [{"expression": f"x{number}"} for number in range(MAX_PATTERNS)]}],
        literals=[NAMES | {"values": [f"value {number:032}" for number in range(MAX_VALUES)]}],
    )
    assert (len(got.detectors[0].patterns), len(got.literals[0].values)) == (MAX_PATTERNS, MAX_VALUES)
