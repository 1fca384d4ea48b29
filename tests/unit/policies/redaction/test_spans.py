# SPDX-License-Identifier: Apache-2.0
"""Findings that overlap are one span, whose rule is that of the severest action."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from policies.contracts.decision import Mode
from policies.contracts.snapshot import SEVERITY, FieldClass, RedactionAction, RedactionPolicy, RedactionRule
from policies.redaction.engine import Redaction
from policies.redaction.field_rules import FieldRules
from policies.redaction.spans import acted_on
from policies.scanning.finder import Finding

NAMES = ("iban", "email", "payment-card", "phone")


def rules(**actions: str) -> FieldRules:
    policy = RedactionPolicy(
        id="p",
        version="1",
        mode=Mode.ENFORCE,
        operations=(),
        models=(),
        rules=tuple(
            RedactionRule(id=f"on-{name}", detectors=(name.replace("_", "-"),), action=RedactionAction(action))
            for name, action in actions.items()
        ),
    )
    return Redaction.of([policy]).rules_for(["p"]).field(FieldClass.USER)


RULES = rules(iban="replace", email="mask", payment_card="remove", phone="annotate")
BY_NAME = {detector.name: number for number, detector in enumerate(RULES.finder.detectors)}


def finding(name: str, start: int, end: int) -> Finding:
    return Finding(start=start, end=end, head=end, detector=BY_NAME[name], score=1.0)


def spans(*findings: Finding) -> list[tuple[int, int, str]]:
    ordered = sorted(findings, key=lambda each: (each.start, -each.end))
    return [(span.start, span.end, span.rule.rule) for span in acted_on(ordered, RULES)]


def test_findings_apart_are_spans_of_their_own():
    assert spans(finding("iban", 0, 4), finding("email", 4, 8)) == [(0, 4, "on-iban"), (4, 8, "on-email")]


def test_the_severest_action_decides_for_all_that_overlaps():
    assert spans(finding("email", 0, 20), finding("iban", 15, 30), finding("payment-card", 28, 31)) == [
        (0, 31, "on-payment_card")
    ]


def test_what_is_only_annotated_joins_nothing():
    assert spans(finding("email", 0, 5), finding("phone", 3, 12), finding("iban", 10, 14)) == [
        (0, 5, "on-email"),
        (10, 14, "on-iban"),
    ]


FINDINGS = st.lists(
    st.builds(
        lambda name, start, length: finding(name, start, start + length),
        st.sampled_from(NAMES),
        st.integers(0, 60),
        st.integers(1, 20),
    ),
    max_size=12,
)


@given(FINDINGS)
def test_every_finding_acted_on_is_wholly_in_one_span(findings):
    acting = [each for each in findings if each.detector != BY_NAME["phone"]]
    found = list(acted_on(sorted(findings, key=lambda each: (each.start, -each.end)), RULES))
    assert all(before.end <= after.start for before, after in itertools.pairwise(found))
    for each in acting:
        (span,) = [span for span in found if span.start <= each.start and each.end <= span.end]
        deciding = RULES.deciding[each.detector]
        assert deciding is not None
        assert SEVERITY[span.rule.action] >= SEVERITY[deciding.action]
