# SPDX-License-Identifier: Apache-2.0
import json
from dataclasses import replace

import pytest

from policies.contracts.decision import Effect, Mode
from policies.contracts.snapshot import GuardPolicy, PolicySnapshot
from policies.contracts.tools import OnRefusal, ToolRule, ToolsPolicy, strictest

RULE = ToolRule(id="r", effect=Effect.ALLOW, subjects=("*",), tools=("search", "docs_*"), models=("parrot",))
CHECKED = replace(RULE, id="c", arguments={"type": "object", "required": ("q",)}, patterns={"q": "[a-z]+"})
POLICY = ToolsPolicy(id="tools", version="1", mode=Mode.WARN, on_refusal=OnRefusal.REPLACE, rules=(RULE, CHECKED))
GUARD = GuardPolicy(id="g", version="1", mode=Mode.ENFORCE, module="", data={}, reasons={}, calls=OnRefusal.CUT)
EMPTY = PolicySnapshot(tenant="default", environment="production", groups={})


def read_back(snapshot: PolicySnapshot) -> PolicySnapshot:
    return PolicySnapshot.from_json(json.loads(json.dumps(snapshot.to_json())))


def test_a_snapshot_gives_its_tools_back():
    got = read_back(replace(EMPTY, tools=(POLICY,), guards=(GUARD,)))
    assert (got.guards[0].calls, got.tools[0].on_refusal, got.tools[0].mode) == (
        OnRefusal.CUT,
        OnRefusal.REPLACE,
        Mode.WARN,
    )
    assert got.tools[0].rules[0] == RULE
    assert got.tools[0].rules[1].patterns == {"q": "[a-z]+"}
    assert got.revision == replace(EMPTY, tools=(POLICY,), guards=(GUARD,)).revision


def test_without_tools_a_snapshot_has_the_bytes_it_had():
    assert "tools" not in EMPTY.to_json()
    assert "calls" not in replace(EMPTY, guards=(replace(GUARD, calls=None),)).to_json()["guards"][0]


@pytest.mark.parametrize(
    ("member", "value"),
    [("on_refusal", "ignore"), ("mode", "on"), ("rules", [{"id": "r"}]), ("more", 1)],
)
def test_what_is_no_tools_policy_is_refused(member, value):
    raw = json.loads(json.dumps(replace(EMPTY, tools=(POLICY,)).to_json()))
    raw["tools"][0][member] = value
    with pytest.raises((ValueError, KeyError)):
        PolicySnapshot.from_json(raw)


@pytest.mark.parametrize(
    ("chosen", "want"),
    [
        ([OnRefusal.REPLACE, OnRefusal.REMOVE], OnRefusal.REMOVE),
        ([OnRefusal.REPLACE, OnRefusal.CUT], OnRefusal.CUT),
        ([], OnRefusal.CUT),
    ],
)
def test_the_strictest_is_done(chosen, want):
    assert strictest(chosen) is want
