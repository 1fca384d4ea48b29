# SPDX-License-Identifier: Apache-2.0
"""Each decision ends in exactly one place of the report."""

import asyncio
import json
from dataclasses import replace

import pytest

from controlplane.replays.run import ReplayRun
from controlplane.services.decision_index import DescribedDecision
from controlplane.services.payload_state import OpenedPayload
from policies.contracts.decision import Mode
from policies.redaction.examination import everything
from tests.control_planes import WITHOUT_OPA
from tests.unit.controlplane.replays.test_recorded_decision import decision
from tests.unit.policies.evaluation.test_bulk import ACCESS
from tests.unit.policies.evaluation.test_head import ROUTE
from tests.unit.policies.evaluation.test_pipeline import snapshot
from tests.unit.policies.evaluation.test_screening import OVERRIDE
from tests.unit.policies.evaluation.test_screening import policy as screening

POLICY = snapshot(access=(ACCESS,), guards=(), routes=(ROUTE,))
REDACTING = replace(POLICY, redactions=(everything(),))
SCREENING = replace(POLICY, screening=(screening(OVERRIDE),))
OWED = [{"type": "redact", "policy": "everything", "status": "done"}]


def described(of):
    record = of.terminal
    payload = OpenedPayload(record.payload_state, record.payload)
    return DescribedDecision(of.request_id, record.log_index, json.loads(record.envelope), payload)


def run(policy, *decisions, in_force=None, **changes):
    made = ReplayRun(
        rego=WITHOUT_OPA,
        snapshot=policy,
        baseline=changes.pop("baseline", None),
        compares_baseline=changes.pop("compares_baseline", False),
        most_examples=3,
        in_force_then=lambda *_: in_force,
    )
    report = asyncio.run(made.over(iter([[described(each) for each in decisions]])))
    changed = sum(change["count"] for change in report["changes"].values())
    assert report["decisions"] == report["compared"] + report["not_compared"]["count"] == len(decisions)
    assert report["compared"] == report["unchanged"] + changed
    return report


@pytest.mark.parametrize(
    ("policy", "members", "in_force", "want"),
    [
        pytest.param(POLICY, {}, POLICY, "same", id="no rules then and now"),
        pytest.param(REDACTING, {"obligations": OWED, "verdict": "redacted"}, REDACTING, "same", id="the same rules"),
        pytest.param(REDACTING, {}, POLICY, "content-not-kept", id="rules where there were none"),
        pytest.param(REDACTING, {}, None, "content-not-kept", id="none were owed, wherever they stood"),
        pytest.param(REDACTING, {"obligations": OWED}, None, "rules-unknown", id="rules that are not known"),
        pytest.param(
            POLICY, {"obligations": OWED, "verdict": "redacted"}, None, "no-longer-redacted", id="no rules any more"
        ),
    ],
)
def test_what_is_said_of_redaction(policy, members, in_force, want):
    report = run(policy, decision(**members), in_force=in_force)
    said = {cause: left["count"] for cause, left in report["redaction"]["not_compared"].items()}
    said |= {name: change["count"] for name, change in report["changes"].items() if change["count"]}
    said |= {"same": report["redaction"]["same"]} if report["redaction"]["same"] else {}
    assert said == {want: 1}


def test_with_a_baseline_its_rules_count_and_not_those_of_then():
    report = run(
        POLICY,
        decision(verdict="redacted", obligations=OWED),
        baseline=REDACTING,
        compares_baseline=True,
        in_force=POLICY,
    )
    (example,) = report["changes"]["no-longer-redacted"]["examples"]
    assert example["request_id"] == "req_1"
    assert report["changes"]["no-longer-redacted"]["by_policy"]["top"] == [{"policy": "everything", "count": 1}]


@pytest.mark.parametrize(
    ("policy", "in_force", "want"),
    [
        pytest.param(SCREENING, POLICY, {"text-not-judged": 1}, id="a rule where there was none"),
        pytest.param(SCREENING, None, {"text-not-judged": 1}, id="rules that are not known"),
        pytest.param(SCREENING, SCREENING, {}, id="the same rules"),
        pytest.param(POLICY, SCREENING, {}, id="no rule any more: it was allowed with it"),
    ],
)
def test_what_rules_for_texts_would_say_is_not_guessed(policy, in_force, want):
    report = run(policy, decision(), in_force=in_force)
    assert {cause: left["count"] for cause, left in report["not_compared"]["by_cause"].items()} == want


def test_a_baseline_may_have_refused_a_text():
    assert run(POLICY, decision(), baseline=SCREENING, compares_baseline=True)["compared"] == 0
    assert run(SCREENING, decision(), baseline=SCREENING, compares_baseline=True)["unchanged"] == 1


def test_what_only_observes_would_refuse():
    denying = replace(ACCESS, id="watch", mode=Mode.OBSERVE, grants=())
    assert run(replace(POLICY, access=(ACCESS, denying)), decision())["would_refuse"] == 0
    refusing = replace(denying, grants=(replace(ACCESS.grants[0], effect="deny"),))
    assert run(replace(POLICY, access=(ACCESS, refusing)), decision())["would_refuse"] == 1


def test_an_empty_log_is_an_empty_report():
    report = run(POLICY)
    assert (report["decisions"], report["evaluation"]["timed"], report["evaluation"]["release_us"]) == (0, 0, None)
