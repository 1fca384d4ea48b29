# SPDX-License-Identifier: Apache-2.0
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from policies.contracts.decision import Effect, Mode, Reason
from policies.contracts.errors import EvaluationFailed
from policies.contracts.request import EvaluationRequest, RequestFacts, Resource, Subject
from policies.contracts.snapshot import GuardPolicy, PolicySnapshot
from policies.contracts.tools import AskedCall, DeniedCall, OnRefusal, ToolRule, ToolsPolicy
from policies.evaluation.tool_calls import CallJudge, CallRules, CallVerdict, decide_calls
from tests.contract.guards import ALLOWED

ALLOW, DENY = Effect.ALLOW, Effect.DENY


def rule(rule_id: str, effect: Effect, *tools: str, subjects: tuple[str, ...] = ("*",), **more: Any) -> ToolRule:
    return ToolRule(id=rule_id, effect=effect, subjects=subjects, tools=tools, **more)


def policy(
    *rules: ToolRule, name: str = "tools", mode: Mode = Mode.ENFORCE, on_refusal: OnRefusal = OnRefusal.REMOVE
) -> ToolsPolicy:
    return ToolsPolicy(id=name, version="1", mode=mode, on_refusal=on_refusal, rules=rules)


def guard(mode: Mode = Mode.ENFORCE, calls: OnRefusal = OnRefusal.REPLACE) -> GuardPolicy:
    return GuardPolicy(
        id="g", version="1", mode=mode, module="", data={}, reasons={"too-far": "That is too far."}, calls=calls
    )


def call(name: str | None = "search", arguments: Mapping[str, Any] | None = None, *, index: int = 0) -> AskedCall:
    return AskedCall(index=index, name=name, arguments={"q": "x"} if arguments is None else arguments)


def snapshot_of(*policies: ToolsPolicy, guards: tuple[GuardPolicy, ...] = ()) -> PolicySnapshot:
    groups = {"staff": ("user:alice",)}
    return PolicySnapshot(tenant="default", environment="production", groups=groups, tools=policies, guards=guards)


def request_of(tool_choice: str | None = None, subject: str = "alice") -> EvaluationRequest:
    return EvaluationRequest(
        request_id="req_1",
        tenant="default",
        environment="production",
        subject=Subject(type="user", id=subject),
        action="chat.completions",
        resource=Resource(type="model", id="parrot"),
        facts=RequestFacts(tools=("search", "search_web", "shell"), tool_choice=tool_choice),
        at=datetime(2026, 11, 20, 18, tzinfo=UTC),
    )


def verdict_on(
    asked: AskedCall, snapshot: PolicySnapshot, denied: tuple[DeniedCall, ...] = (), **who: Any
) -> CallVerdict:
    rules = CallRules.of(snapshot.tools)
    (given,) = decide_calls([asked], rules=rules, request=request_of(**who), snapshot=snapshot, denied=denied)
    return given


def code_of(given: CallVerdict) -> str:
    return "" if given.refused is None else given.refused.reason.code


STAFF = policy(rule("search", ALLOW, "search", subjects=("group:staff",)))
PATHS = policy(
    rule("under-srv", ALLOW, "shell", patterns={"path": "/srv/.*"}),
    rule("no-rm", DENY, "shell", patterns={"cmd": "rm .*"}),
)


@pytest.mark.parametrize(
    ("asked", "policies", "want"),
    [
        pytest.param(call(), [STAFF], "", id="listed"),
        pytest.param(call("Search"), [STAFF], "call-not-offered", id="in other case"),
        pytest.param(call("search "), [STAFF], "call-not-offered", id="with a blank"),
        pytest.param(call("search_web"), [STAFF], "call-not-permitted", id="offered and not listed"),
        pytest.param(call("other"), [policy(rule("all", ALLOW, "*"))], "call-not-offered", id="not offered"),
        pytest.param(call(None), [policy(rule("all", ALLOW, "*"))], "call-not-offered", id="no name"),
        pytest.param(call(), [policy()], "call-not-permitted", id="no rule"),
        pytest.param(call(), [], "", id="no policy"),
        pytest.param(call("search_web"), [policy(rule("all", ALLOW, "search*"))], "", id="a beginning"),
        pytest.param(call("shell"), [policy(rule("all", ALLOW, "search*"))], "call-not-permitted", id="another beginning"),
        pytest.param(call("shell"), [policy(rule("all", ALLOW, "*"), rule("no", DENY, "shell"))], "call-not-permitted", id="denied behind"),
        pytest.param(call("shell"), [policy(rule("no", DENY, "shell")), policy(rule("all", ALLOW, "*"), name="b")], "call-not-permitted", id="denied by another policy"),
        pytest.param(call(), [policy(name="a"), policy(rule("all", ALLOW, "*"), name="b")], "", id="allowed by another policy"),
        pytest.param(call(), [policy(rule("m", ALLOW, "*", models=("toucan",)))], "call-not-permitted", id="another model"),
        pytest.param(call(), [policy(rule("m", ALLOW, "*", models=("parrot",)))], "", id="this model"),
        pytest.param(call(), [policy(rule("o", ALLOW, "*", operations=("responses",)))], "call-not-permitted", id="another operation"),
        pytest.param(call(), [policy(rule("o", ALLOW, "*", operations=("chat.completions",)))], "", id="this operation"),
        pytest.param(call(), [policy(rule("s", ALLOW, "*", subjects=("user:bob",)))], "call-not-permitted", id="another subject"),
        pytest.param(call("shell", {"path": "/srv/a"}), [PATHS], "", id="arguments as stated"),
        pytest.param(call("shell", {"path": "/etc/a"}), [PATHS], "call-arguments-not-permitted", id="other arguments"),
        pytest.param(call("shell", {"path": "/srv/a", "cmd": "rm x"}), [PATHS], "call-not-permitted", id="arguments denied"),
        pytest.param(call("shell", {"path": "/srv/a", "cmd": "rm\ud800"}), [PATHS], "call-not-permitted", id="arguments that a denying rule cannot read"),
        pytest.param(AskedCall(index=0, name="search", arguments=None), [policy(rule("all", ALLOW, "*"))], "call-arguments-not-permitted", id="broken arguments"),
        pytest.param(AskedCall(index=0, name="shell", arguments=None), [PATHS], "call-not-permitted", id="broken arguments where some are denied"),
    ],
)  # fmt: skip
def test_a_call_leaves_only_where_a_rule_allows_it(asked, policies, want):
    assert code_of(verdict_on(asked, snapshot_of(*policies))) == want


def test_nothing_is_offered_to_a_request_that_wants_no_call():
    assert code_of(verdict_on(call(), snapshot_of(STAFF), tool_choice="none")) == "call-not-offered"
    assert code_of(verdict_on(call(), snapshot_of(STAFF), tool_choice="auto")) == ""


def test_a_name_is_told_only_where_the_request_offered_it():
    told = [verdict_on(call(name), snapshot_of(policy())).refused for name in ("shell", "brown-marmot")]
    assert [each and each.name for each in told] == ["shell", "*"]


@pytest.mark.parametrize(
    ("policies", "want"),
    [
        pytest.param([policy(on_refusal=OnRefusal.REPLACE)], "replace", id="one"),
        pytest.param(
            [policy(on_refusal=OnRefusal.REPLACE), policy(name="b", on_refusal=OnRefusal.CUT)], "cut", id="strictest"
        ),
        pytest.param(
            [policy(rule("no", DENY, "search")), policy(name="b", on_refusal=OnRefusal.CUT)], "remove", id="who denies"
        ),
    ],
)
def test_what_becomes_of_a_refused_call_is_policy(policies, want):
    refused = verdict_on(call(), snapshot_of(*policies)).refused
    assert refused is not None
    assert refused.action == want


@pytest.mark.parametrize("mode", [Mode.WARN, Mode.OBSERVE])
def test_a_policy_that_only_looks_refuses_nothing_and_tells(mode):
    given = verdict_on(call("shell"), snapshot_of(replace(STAFF, mode=mode)))
    assert given.refused is None
    assert [(each.reason.code, each.action) for each in given.observed] == [("call-not-permitted", mode.value)]
    assert verdict_on(call(None), snapshot_of(replace(STAFF, mode=mode))).refused is None
    assert verdict_on(call(), snapshot_of(replace(STAFF, mode=mode))) == CallVerdict(index=0)


def denial(mode: Mode = Mode.ENFORCE, index: int = 0) -> DeniedCall:
    return DeniedCall(index=index, mode=mode, reason=Reason(code="too-far", policy="g"))


def test_what_a_guard_denies_is_refused_in_its_own_words():
    refused = verdict_on(call(), snapshot_of(STAFF, guards=(guard(),)), (denial(),)).refused
    assert refused is not None
    assert (refused.reason.code, refused.action, refused.message) == ("too-far", "replace", "That is too far.")
    assert verdict_on(call(), snapshot_of(STAFF, guards=(guard(),)), (denial(index=1),)).refused is None
    observed = verdict_on(call(), snapshot_of(STAFF, guards=(guard(Mode.WARN),)), (denial(Mode.WARN),))
    assert (observed.refused, [each.action for each in observed.observed]) == (None, ["warn"])


def test_with_a_guard_alone_only_what_nobody_can_read_is_refused_unasked():
    alone = snapshot_of(guards=(guard(),))
    broken = verdict_on(AskedCall(index=0, name="search", arguments=None), alone)
    assert code_of(verdict_on(call("brown-marmot"), alone)) == ""
    assert code_of(verdict_on(call(None), alone)) == "call-not-offered"
    assert (code_of(broken), broken.action) == ("call-arguments-not-permitted", OnRefusal.REPLACE)


class Guard:
    """Denies the first call it is asked about. `problem` is raised instead."""

    def __init__(self, problem: Exception | None = None) -> None:
        self.asked: list[AskedCall] = []
        self.problem = problem

    async def judge(self, _request: Any, _access: Any, calls: list[AskedCall]) -> tuple[DeniedCall, ...]:
        self.asked += calls
        if self.problem is not None:
            raise self.problem
        return (denial(index=calls[0].index),)


def judge_with(engine: Any, *guards: GuardPolicy) -> CallJudge:
    snapshot = snapshot_of(STAFF, guards=guards)
    return CallJudge(
        rules=CallRules.of(snapshot.tools), guard=engine, snapshot=snapshot, request=request_of(), access=ALLOWED
    )


async def test_a_guard_is_asked_only_of_calls_that_can_be_read():
    engine = Guard()
    given = await judge_with(engine, guard()).judge([call(None), call(index=1), call("search_web", index=2)])
    assert [asked.index for asked in engine.asked] == [1, 2]
    assert [code_of(each) for each in given] == ["call-not-offered", "too-far", "call-not-permitted"]


async def test_no_guard_is_asked_where_none_decides_on_calls():
    engine = Guard(EvaluationFailed("opa", "gone"))
    assert [code_of(each) for each in await judge_with(engine).judge([call()])] == [""]
    assert engine.asked == []


@pytest.mark.parametrize("problem", [EvaluationFailed("opa", "gone"), RuntimeError("brown-marmot")])
async def test_where_the_guard_fails_nothing_is_decided(problem):
    with pytest.raises(EvaluationFailed) as failed:
        await judge_with(Guard(problem), guard()).judge([call()])
    assert "brown-marmot" not in str(failed.value)
