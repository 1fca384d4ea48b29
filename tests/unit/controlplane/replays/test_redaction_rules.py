# SPDX-License-Identifier: Apache-2.0
"""Whether the same would be redacted, as far as rules alone tell."""

from dataclasses import replace

import pytest

from controlplane.replays.redaction_rules import Redacted, RulesInForce, redaction_of, rules_by_policy, rules_of
from policies.redaction.examination import everything
from tests.unit.policies.evaluation.test_pipeline import snapshot

POLICY = everything()
REDACTING = snapshot(redactions=(POLICY,))
ONE, OTHER = frozenset({"one"}), frozenset({"other"})
NONE: frozenset[str] = frozenset()


@pytest.mark.parametrize(
    ("was", "now", "verdict", "want"),
    [
        pytest.param(ONE, ONE, "redacted", Redacted.SAME, id="the same rules"),
        pytest.param(NONE, NONE, "forwarded", Redacted.SAME, id="none then, none now"),
        pytest.param(ONE, NONE, "redacted", Redacted.NO_LONGER, id="nothing would be taken out any more"),
        pytest.param(None, NONE, "redacted", Redacted.NO_LONGER, id="whatever the rules were"),
        pytest.param(ONE, NONE, "forwarded", Redacted.SAME, id="nothing was found then, nothing is looked for now"),
        pytest.param(NONE, ONE, "forwarded", Redacted.TEXT_NEEDED, id="rules where there were none"),
        pytest.param(ONE, OTHER, "redacted", Redacted.TEXT_NEEDED, id="other rules"),
        pytest.param(None, ONE, "forwarded", Redacted.RULES_UNKNOWN, id="the rules of then are not known"),
    ],
)
def test_what_can_be_said_without_texts(was, now, verdict, want):
    assert redaction_of(was, now, verdict) is want


def test_another_version_of_the_same_rules_is_the_same():
    known = rules_by_policy([POLICY])
    assert rules_by_policy([replace(POLICY, version="9")]) == known
    assert rules_by_policy([replace(POLICY, models=("owl",))]) != known
    assert rules_of(["everything"], known) == frozenset(known.values())
    assert rules_of(["everything", "gone"], known) is None
    assert rules_of(["everything"], None) is None


def test_a_snapshot_that_decided_is_loaded_once():
    asked = []
    rules = RulesInForce(load=lambda *key: asked.append(key) or REDACTING)
    envelope = {"environment": "production", "serial": 7, "revision": "sha256:1"}
    assert rules.of(envelope) == rules.of(envelope) == rules_by_policy([POLICY])
    assert rules.snapshot_of(envelope) is REDACTING
    assert rules.of({"environment": None}) is None
    assert asked == [("production", 7, "sha256:1")]
