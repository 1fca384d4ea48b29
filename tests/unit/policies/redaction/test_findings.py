# SPDX-License-Identifier: Apache-2.0
import pytest

from policies.redaction.findings import MAX_REMARKS, AppliedRule, Tally

EMAIL = "alice@example.com"


def rule(action: str = "replace") -> AppliedRule:
    return AppliedRule(detector="email", policy="p", rule="r", action=action)


def remark(tally: Tally, action: str = "replace", span: str = EMAIL) -> None:
    tally.add(rule(action))
    tally.remark(rule(action), kind="EMAIL_ADDRESS", path="choices.*.message.content", span=span)


def test_a_remark_has_the_length_and_the_hash_of_a_span_and_not_the_span():
    tally = Tally(hashed=lambda span: f"s1:{len(span):016}")
    remark(tally, span="höhle@example.com")
    [left] = tally.remarks
    assert (left.length, left.span_hash, left.path) == (17, "s1:0000000000000017", "choices.*.message.content")
    assert "example" not in repr(left)


def test_remarks_are_bounded_and_the_others_counted():
    tally = Tally()
    for _ in range(MAX_REMARKS + 3):
        remark(tally)
    assert (len(tally.remarks), tally.omitted, tally.total) == (MAX_REMARKS, 3, MAX_REMARKS + 3)


@pytest.mark.parametrize(
    ("action", "want"), [("replace", "annotate"), ("block", "annotate"), ("warn", "warn"), ("observe", "observe")]
)
def test_what_was_left_as_it_is_is_noted_as_such(action, want):
    tally = Tally()
    remark(tally, action)
    tally.annotate()
    assert [said.action for said in (*tally.findings, *tally.remarks)] == [want, want]
    assert tally.findings[0].count == 1
