# SPDX-License-Identifier: Apache-2.0
import json

import pytest

from policies.redaction.findings import AppliedRule, Tally
from proxy_addons.core.coverage import Coverage
from tests.unit.proxy_addons.core.test_record_builder import SPEC, envelope, exchange


def test_coverage_folds_indices_and_is_bounded():
    scanned = tuple(f"choices.{n}.message.content" for n in range(100))
    missing = tuple((f"choices.0.field{n}", "no-rule") for n in range(100))
    got = envelope(exchange(coverage=Coverage(scanned=scanned, not_scanned=missing)))["coverage"]
    assert got["scanned"] == ["choices.*.message.content"]
    assert len(got["not_scanned"]) == 32
    assert got["not_scanned"][0] == {"path": "choices.*.field0", "reason": "no-rule"}


def test_request_and_answer_are_covered_together_beside_the_rules_that_looked():
    of_request = Coverage(
        scanned=("request.messages.*.content",),
        not_scanned=(("request.model", "decided-on"),),
        by=((("p/r",), ("request.messages.*.content",)),),
    )
    of_answer = Coverage(scanned=("choices.0.message.content",), by=((("p/r", "p/s"), ("choices.0.message.content",)),))
    made = exchange(coverage=of_answer, request_coverage=of_request, uncovered=(("messages.*.image", "image"),))
    assert envelope(made)["coverage"] == {
        "stripped": 0,
        "scanned": ["request.messages.*.content", "choices.*.message.content"],
        "not_scanned": [
            {"path": "request.messages.*.image", "reason": "image"},
            {"path": "request.model", "reason": "decided-on"},
        ],
        "by": [
            {"rules": ["p/r"], "paths": ["request.messages.*.content"]},
            {"rules": ["p/r", "p/s"], "paths": ["choices.*.message.content"]},
        ],
    }


def remarked(number: int) -> Tally:
    """Return the tally of a text with so many findings, of rules with long names."""
    tally = Tally(hashed=lambda span: f"s1:{len(span):016x}")
    rule = AppliedRule(detector="email-address", policy="p" * 60, rule="r" * 60, action="replace")
    for _ in range(number):
        tally.add(rule)
        tally.remark(rule, kind="EMAIL_ADDRESS", path="request.messages.*.content", span="alice@example.com")
    return tally


@pytest.mark.parametrize("number", [0, 1, 8, 32, 33, 1000])
def test_remarks_are_listed_as_far_as_there_is_room_and_counted_beyond(number):
    got = envelope(exchange(tally=remarked(number)))
    assert len(got["remarks"]) + got["remarks_omitted"] == number
    assert len(got["remarks"]) >= min(number, 8)
    assert "alice" not in json.dumps(got)


def test_a_remark_says_where_and_what_kind_of_thing_was_found():
    [got] = envelope(exchange(tally=remarked(1)))["remarks"]
    example = json.loads(SPEC.read_text().split("```json\n")[1].split("```")[0].replace("[…]", "[]"))["remarks"][0]
    assert got.keys() == example.keys()
    assert (got["kind"], got["length"], got["span_hash"]) == ("EMAIL_ADDRESS", 17, "s1:0000000000000011")
