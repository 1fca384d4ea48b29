# SPDX-License-Identifier: Apache-2.0
"""Single changes: each differs in one thing, and there are not more than somebody waits for."""

from dataclasses import replace

from policies.contracts.request import RequestFacts, Subject
from policies.contracts.snapshot import Grant
from policies.evaluation import counterfactuals
from policies.evaluation.counterfactuals import single_changes
from tests.unit.policies.evaluation.test_bulk import ACCESS
from tests.unit.policies.evaluation.test_head import LIMIT, ROUTE
from tests.unit.policies.evaluation.test_pipeline import REQUEST, snapshot

GRANT = Grant(id="g", effect="allow", subjects=("group:ops", "user:bob"), models=("owl", "parrot"), operations=("*",))
(GUARD,) = snapshot().guards
POLICY = snapshot(
    groups={"staff": ("user:alice",), "board": ("user:eve",)},
    access=(replace(ACCESS, grants=(GRANT,)),),
    guards=(replace(GUARD, module="deny if input.request.max_tokens > 100", data={"most": [7]}),),
    routes=(ROUTE, replace(ROUTE, id="e", operation="embeddings")),
    limits=(LIMIT,),
)
ASKED = replace(
    REQUEST,
    subject=Subject(type="user", id="alice", groups=("guests",)),
    facts=RequestFacts(max_tokens=100, tools=("find", "shell"), body_bytes=11, n=2),
)


def test_what_the_policy_has_is_tried_each_by_itself():
    changes = list(single_changes(ASKED, POLICY))
    tried = {}
    for change in changes:
        tried.setdefault(change.what, []).append(change.to)
    assert tried == {
        "subject.groups": ["+board", "+ops", "-guests"],
        "model": ["owl"],
        "operation": ["embeddings"],
        "max_tokens": [None, 6, 7, 8, 99, 101],
        "tools": ["-find", "-shell", []],
        "body_bytes": [10],
        "stream": [True],
        "n": [1],
    }
    for change in changes:
        members = ("subject", "action", "resource", "at", "tenant", "environment")
        differing = [name for name in members if getattr(change.request, name) != getattr(ASKED, name)]
        facts = change.request.facts != ASKED.facts
        assert len(differing) + facts == 1, change


def test_there_are_at_most_so_many_of_a_kind(monkeypatch):
    monkeypatch.setattr(counterfactuals, "_MOST_OF_A_KIND", 2)
    tokens = [change for change in single_changes(ASKED, POLICY) if change.what == "max_tokens"]
    assert len(tokens) == 2
