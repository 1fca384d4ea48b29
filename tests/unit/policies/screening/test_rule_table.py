# SPDX-License-Identifier: Apache-2.0
import re
from pathlib import Path

import pytest

from policies.screening.model import Origin
from policies.screening.rule_table import Rule, rules

ROOT = Path(__file__).resolve().parents[4]
RAW = {"id": "x", "patterns": ["DISREGARD 2 ORDERS"], "user": 0.5, "given": 0.8, "finds": ["a"], "ignores": ["b"]}


def test_rules_have_names_of_their_own_and_samples():
    table = rules()
    assert len({rule.id for rule in table}) == len(table)
    for rule in table:
        assert re.fullmatch(r"[a-z]+(-[a-z]+)*", rule.id)
        assert rule.finds
        assert rule.ignores
        assert rule.patterns or rule.expressions or rule.all_of
        assert 0 <= rule.user <= 1
        assert 0 <= rule.given <= 1


def test_what_is_given_to_read_is_trusted_no_more_than_a_person():
    assert [rule.id for rule in rules() if rule.given < rule.user] == []


@pytest.mark.parametrize(
    ("origin", "want"),
    [(Origin.USER, 0.5), (Origin.TOOL_RESULT, 0.8), (Origin.SYSTEM, 0.15), (Origin.ASSISTANT_TEXT, 0.5)],
)
def test_a_rule_weighs_by_origin(origin, want):
    assert Rule.parse(RAW).weight(origin) == pytest.approx(want)


def test_what_is_forged_weighs_the_same_in_a_system_prompt():
    assert Rule.parse(RAW | {"quotable": False}).weight(Origin.SYSTEM) == 0.5


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        pytest.param(RAW | {"pattern": "X"}, "has \\['pattern'\\]", id="unknown-member"),
        pytest.param(RAW | {"patterns": ["DISREGARD 2 NOBODY"]}, "names NOBODY", id="unknown-class"),
        pytest.param(RAW | {"patterns": ["DISREGARD ORDERS"]}, "write classes with a distance", id="no-distance"),
    ],
)
def test_what_is_no_rule_is_refused(raw, message):
    with pytest.raises(ValueError, match=message):
        Rule.parse(raw)


def test_rules_are_listed_in_the_reference(update_golden):
    page = ROOT / "docs" / "reference" / "screening-rules.md"
    rows = [f"| `{rule.id}` | {rule.user} | {rule.given} | {_shown(rule.finds[0])} |" for rule in rules()]
    table = "\n".join(["| rule | user | given | for example |", "| --- | --- | --- | --- |", *rows, ""])
    head, _, _ = page.read_text().partition("| rule |")
    if update_golden:
        page.write_text(head + table)
    assert head + table == page.read_text()


def _shown(sample):
    return "`" + sample.replace("\n", "⏎").replace("|", "\\|") + "`"
