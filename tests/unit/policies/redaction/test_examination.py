# SPDX-License-Identifier: Apache-2.0
"""One text examined: what is left, every finding with its place."""

import pytest

from policies.contracts.decision import Mode
from policies.contracts.snapshot import RedactionAction, Strictness
from policies.redaction.engine import Redaction
from policies.redaction.examination import PlacedFinding, everything, examine
from policies.redaction.findings import Tally
from tests.streams import CARD, EMAIL, rules

TEXT = f"é {EMAIL}, {CARD}."


def active_everything(**options):
    return Redaction.of([everything(**options)]).rules_for(["everything"])


def places(examined):
    return [(each.kind, each.start, each.end) for each in examined.findings]


def test_everything_replaces_what_any_detector_finds():
    examined = examine(active_everything(), TEXT, Tally())
    assert examined.text == "é [redacted:email], [redacted:payment-card]."
    assert examined.blocked is None
    assert examined.findings[0] == PlacedFinding(
        kind="EMAIL_ADDRESS",
        detector="email",
        start=2,
        end=2 + len(EMAIL),
        score=1.0,
        policy="everything",
        rule="everything",
        action="replace",
    )
    assert places(examined)[1:] == [("CREDIT_CARD", TEXT.index(CARD), TEXT.index(CARD) + len(CARD))]


def test_everything_may_be_less():
    assert places(examine(active_everything(detectors=("email",)), TEXT, Tally())) == [
        ("EMAIL_ADDRESS", 2, 2 + len(EMAIL))
    ]


@pytest.mark.parametrize(("strict", "want"), [(False, Strictness.LENIENT), (True, Strictness.STRICT)])
def test_everything_is_lenient_unless_asked(strict, want):
    assert [rule.strictness for rule in everything(strict=strict).rules] == [want]


def test_what_is_cut_out_is_where_the_findings_are():
    """The text without its findings is the redaction without its placeholders."""
    examined = examine(active_everything(), TEXT, Tally())
    rest, at = [], 0
    for finding in examined.findings:
        rest.append(TEXT[at : finding.start])
        at = finding.end
    left = examined.text.replace("[redacted:email]", "").replace("[redacted:payment-card]", "")
    assert "".join([*rest, TEXT[at:]]) == left


def test_a_key_lasts_until_its_end_or_that_of_the_text():
    begins = "-----BEGIN RSA " + "PRIVATE KEY-----\nMIIE"
    ends = "-----END RSA " + "PRIVATE KEY-----"
    for text, end in ((f"{begins}\n{ends} and", len(f"{begins}\n{ends}")), (begins, len(begins))):
        assert [each[1:] for each in places(examine(active_everything(), text, Tally()))] == [(0, end)]


def test_a_block_leaves_nothing_and_tells_who_blocks():
    examined = examine(rules(RedactionAction.BLOCK), TEXT, Tally())
    assert (examined.text, len(examined.findings)) == ("", 2)
    assert examined.blocked is not None
    assert (examined.blocked.policy, examined.blocked.rule) == ("policy", "rule")


@pytest.mark.parametrize("mode", [Mode.WARN, Mode.OBSERVE])
def test_a_policy_that_only_looks_changes_nothing(mode):
    examined = examine(rules(mode=mode), TEXT, Tally())
    assert (examined.text, {each.action for each in examined.findings}) == (TEXT, {mode.value})


def test_without_rules_nothing_is_found():
    examined = examine(Redaction.of([]).rules_for([]), TEXT, Tally())
    assert (examined.text, examined.findings) == (TEXT, ())
