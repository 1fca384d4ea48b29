# SPDX-License-Identifier: Apache-2.0
"""Every engine that runs Rego, asked about the tool calls of an answer (`GuardEngine.judge`)."""

from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from policies.contracts.decision import Mode, Reason
from policies.contracts.errors import EvaluationFailed
from policies.contracts.snapshot import PolicySnapshot
from policies.contracts.tools import AskedCall, DeniedCall, OnRefusal
from policies.engines.embedded_rego import EmbeddedGuard
from policies.engines.opa import OpaGuard
from policies.engines.ports import GuardEngine
from policies.engines.reused_guard import reusing
from tests.contract.guards import (
    ALLOWED,
    GUARD_REVISION,
    OpaProcess,
    data_of,
    guard,
    modules_of,
    request_of,
    snapshot_of,
)

PATHS = """package gatehouse.guard.paths

deny contains "tool-not-permitted" if "shell" in input.request.tools

deny_call contains {"index": call.index, "reason": "elsewhere"} if {
  some call in input.tool_calls
  call.name == "read_file"
  not within(call)
}

# A rule of its own: in OPA, an argument that is left out makes all of `not startswith(…)` undefined, which denies nothing.
within(call) if startswith(call.arguments.path, data.gatehouse.guard_data.paths.root)

deny_call contains {"index": call.index, "reason": "not-yours"} if {
  some call in input.tool_calls
  call.name == "delete_file"
  not "staff" in input.subject.groups
}
"""
REASONS = {"elsewhere": "That file is elsewhere.", "not-yours": "Not yours.", "tool-not-permitted": "No shell."}
Judge = Callable[..., Awaitable[tuple[DeniedCall, ...]]]


def paths(module: str = PATHS, **more: Any) -> Any:
    fields = {"name": "paths", "data": {"root": "/srv/"}, "reasons": REASONS, "calls": OnRefusal.REMOVE}
    return guard(module, **(fields | more))


def call(index: int, name: str, **arguments: Any) -> AskedCall:
    return AskedCall(index=index, name=name, arguments=arguments)


@pytest.fixture
def opa(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[OpaProcess]:
    process = OpaProcess(binary=request.getfixturevalue("opa_binary"), folder=tmp_path)
    yield process
    process.kill()


@pytest.fixture(params=[pytest.param("opa", marks=pytest.mark.opa), "embedded"])
def judge(request: pytest.FixtureRequest) -> Judge:
    async def judging(
        snapshot: PolicySnapshot, calls: list[AskedCall], *, subject: str = "bob", revision: str = GUARD_REVISION
    ) -> Any:
        engine: GuardEngine
        if request.param == "opa":
            process = request.getfixturevalue("opa")
            process.write(snapshot, revision=revision)
            process.start()
            engine = OpaGuard(snapshot, manifest_revision=GUARD_REVISION, address=str(process.socket), deadline_s=10)
        else:
            engine = EmbeddedGuard(snapshot, modules=modules_of(snapshot), data=data_of(snapshot), deadline_s=10)
        try:
            return await reusing(engine, snapshot).judge(request_of(subject), ALLOWED, calls)
        finally:
            await engine.close()

    return judging


def denied(index: int, code: str, mode: Mode = Mode.ENFORCE) -> DeniedCall:
    return DeniedCall(index=index, mode=mode, reason=Reason(code=code, policy="paths"))


@pytest.mark.parametrize(
    ("calls", "subject", "want"),
    [
        pytest.param([call(0, "read_file", path="/srv/a")], "bob", (), id="within"),
        pytest.param([call(0, "read_file", path="/etc/a")], "bob", (denied(0, "elsewhere"),), id="elsewhere"),
        pytest.param([call(0, "read_file")], "bob", (denied(0, "elsewhere"),), id="an argument left out"),
        pytest.param([call(0, "read_file", path=["/srv/"])], "bob", None, id="a builtin that fails"),
        pytest.param([call(0, "delete_file", n=1.5)], "alice", (), id="by the subject"),
        pytest.param(
            [call(0, "search", deep={"a": [1, None, True]}), call(3, "delete_file"), call(5, "read_file", path="x")],
            "bob",
            (denied(3, "not-yours"), denied(5, "elsewhere")),
            id="several",
        ),
    ],
)  # fmt: skip
async def test_a_guard_denies_calls_by_name_arguments_and_subject(judge, calls, subject, want) -> None:
    if want is None:
        with pytest.raises(EvaluationFailed):
            await judge(snapshot_of(paths()), calls, subject=subject)
    else:
        assert await judge(snapshot_of(paths()), calls, subject=subject) == want


async def test_guards_that_do_not_judge_are_not_asked(judge) -> None:
    other = "package gatehouse.guard.other\n\ndeny_call := 7\n"
    snapshot = snapshot_of(paths(mode=Mode.WARN), guard(other, name="other"))
    assert await judge(snapshot, [call(0, "read_file")]) == (denied(0, "elsewhere", Mode.WARN),)


@pytest.mark.parametrize(
    "said",
    [
        pytest.param('deny_call contains {"index": 1, "reason": "elsewhere"}', id="a call that there is not"),
        pytest.param('deny_call contains {"index": true, "reason": "elsewhere"}', id="no index"),
        pytest.param('deny_call contains {"index": 0, "reason": "brown-marmot"}', id="a reason that is not declared"),
        pytest.param('deny_call contains {"index": 0}', id="no reason"),
        pytest.param('deny_call contains "elsewhere"', id="no object"),
        pytest.param('deny_call := {"elsewhere": 0}', id="no set"),
    ],
)
async def test_what_a_guard_may_not_say_of_a_call_decides_nothing(judge, said) -> None:
    with pytest.raises(EvaluationFailed) as failed:
        await judge(snapshot_of(paths(f"package gatehouse.guard.paths\n\n{said}\n")), [call(0, "search")])
    assert "brown-marmot" not in str(failed.value)


@pytest.mark.opa
async def test_opa_of_another_revision_decides_nothing(opa: OpaProcess) -> None:
    snapshot = snapshot_of(paths())
    opa.write(snapshot, revision="8+sha256:beef")
    opa.start()
    engine = OpaGuard(snapshot, manifest_revision=GUARD_REVISION, address=str(opa.socket), deadline_s=10)
    with pytest.raises(EvaluationFailed, match="another revision"):
        await engine.judge(request_of(), ALLOWED, [call(0, "read_file", path="/srv/a")])
    opa.kill()
    with pytest.raises(EvaluationFailed):
        await engine.judge(request_of(), ALLOWED, [call(0, "read_file", path="/srv/a")])
    await engine.close()


async def test_the_embedded_engine_decides_nothing_on_arguments_that_it_misreads() -> None:
    snapshot = snapshot_of(paths())
    engine = EmbeddedGuard(snapshot, modules=modules_of(snapshot), data=data_of(snapshot), deadline_s=10)
    with pytest.raises(EvaluationFailed, match="misreads"):
        await engine.judge(request_of(), ALLOWED, [call(0, "read_file", path='/srv/"')])
    await engine.close()
