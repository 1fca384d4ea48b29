# SPDX-License-Identifier: Apache-2.0
import json
from dataclasses import replace

import pytest

from policies.contracts.canaries import Canary, TrialText
from policies.contracts.decision import Effect
from policies.contracts.redaction import Direction, FieldClass
from policies.contracts.request import RequestFacts, Subject
from policies.contracts.snapshot import PolicySnapshot
from tests.unit.proxy_addons.harness import snapshot

PLAIN = Canary(
    policy="chat-access",
    name="nobody may chat",
    subject=Subject(type="user", id="nobody"),
    operation="chat.completions",
    model="parrot",
    facts=RequestFacts(),
    time="2026-01-01T12:00:00+00:00",
    effect=Effect.DENY,
    reasons=("no-applicable-policy",),
    text=None,
)
FULL = replace(
    PLAIN,
    model=None,
    facts=RequestFacts(tools=("shell",), max_tokens=7),
    effect=None,
    reasons=None,
    text=TrialText(direction=Direction.REQUEST, field=FieldClass.USER, text="x", blocked=True, findings=("email",)),
)


@pytest.mark.parametrize("canary", [PLAIN, FULL], ids=["a-decision", "a-text"])
def test_a_snapshot_reads_back_with_its_canaries(canary):
    want = replace(snapshot(), canaries=(canary,))
    assert PolicySnapshot.from_json(json.loads(json.dumps(want.to_json()))) == want


def test_a_snapshot_without_canaries_keeps_its_bytes():
    assert "canaries" not in snapshot().to_json()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        pytest.param({"time": "2026-01-01T12:00:00"}, "offset", id="a-time-without-offset"),
        pytest.param({"time": "noon"}, "noon", id="no-time"),
        pytest.param({"effect": "perhaps"}, "perhaps", id="no-effect"),
        pytest.param({"weather": "fine"}, "Canary has members", id="an-unknown-member"),
    ],
)
def test_refuses_what_is_no_canary(change, words):
    raw = json.loads(json.dumps(replace(snapshot(), canaries=(PLAIN,)).to_json()))["canaries"][0]
    with pytest.raises(ValueError, match=words):
        Canary.from_json(raw | change)
