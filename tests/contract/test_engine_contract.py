# SPDX-License-Identifier: Apache-2.0
"""Every guard engine, held to `policies.engines.ports.GuardEngine` by the same snapshots and requests."""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from policies.contracts.decision import EngineAnswer, Mode, Outcome, Reason, Redact
from policies.contracts.errors import EvaluationFailed
from policies.contracts.request import EvaluationRequest
from policies.contracts.snapshot import PolicySnapshot
from policies.engines.embedded_rego import EmbeddedGuard
from policies.engines.groups import groups_of
from policies.engines.guard_answer import read_guards
from policies.engines.guard_input import guard_input
from policies.engines.opa import OpaGuard
from policies.engines.ports import GuardEngine
from tests.contract.guards import (
    ALLOWED,
    CAPS_REASONS,
    GUARD_REVISION,
    NOTHING_APPLIED,
    OpaProcess,
    data_of,
    guard,
    modules_of,
    request_of,
    snapshot_of,
)

Ask = Callable[..., Awaitable[EngineAnswer]]


@dataclass
class FakeGuard:
    """The caps guard in Python, for suites without Rego. It knows that one module, and the form of its answers."""

    snapshot: PolicySnapshot

    async def evaluate(self, request: EvaluationRequest, access: EngineAnswer) -> EngineAnswer:
        asked: Any = guard_input(request, groups=groups_of(self.snapshot, request.subject), access=access)
        said = {each.id: self._run(asked, each.data) for each in self.snapshot.guards}
        return read_guards(said, snapshot=self.snapshot, engine="fake", duration_us=1)

    async def close(self) -> None:
        return

    @staticmethod
    def _run(asked: Any, capped: Any) -> dict[str, Any]:
        deny = []
        if asked["request"]["max_tokens"] is not None and asked["request"]["max_tokens"] > capped["max_tokens"]:
            deny.append("max-tokens-over-cap")
        if set(asked["request"]["tools"]) & set(capped["forbidden_tools"]):
            deny.append("tool-not-permitted")
        staff = "staff" in asked["subject"]["groups"]
        return {
            "allow": asked["access"]["effect"] == "not_applicable",
            "deny": deny,
            "obligations": [{"type": "redact", "policy": "answer-redaction"}] if staff else [],
        }


@pytest.fixture
def opa(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[OpaProcess]:
    process = OpaProcess(binary=request.getfixturevalue("opa_binary"), folder=tmp_path)
    yield process
    process.kill()


@asynccontextmanager
async def _closing(engine: GuardEngine) -> Any:
    try:
        yield engine
    finally:
        await engine.close()


REGO = [pytest.param("opa", marks=pytest.mark.opa), "embedded"]
ALL = [*REGO, "fake"]


@pytest.fixture
def ask(request: pytest.FixtureRequest) -> Ask:
    """Ask the engine that the test is run with."""

    async def asking(
        snapshot: PolicySnapshot,
        asked: EvaluationRequest,
        access: EngineAnswer = ALLOWED,
    ) -> EngineAnswer:
        engine: GuardEngine
        match request.param:
            case "opa":
                process = request.getfixturevalue("opa")
                process.write(snapshot)
                process.start()
                # A deadline of seconds: what is tested here is what is answered; the machine may be busy.
                engine = OpaGuard(
                    snapshot, manifest_revision=GUARD_REVISION, address=str(process.socket), deadline_s=10
                )
            case "embedded":
                engine = EmbeddedGuard(snapshot, modules=modules_of(snapshot), data=data_of(snapshot), deadline_s=10)
            case _:
                engine = FakeGuard(snapshot)
        async with _closing(engine):
            return await engine.evaluate(asked, access)

    return asking


@pytest.mark.parametrize("ask", ALL, indirect=True)
@pytest.mark.parametrize(
    ("asked", "access", "outcome", "reasons", "obligations"),
    [
        pytest.param(request_of("bob"), ALLOWED, Outcome.NOT_APPLICABLE, [], 0, id="neutral"),
        pytest.param(request_of("bob"), NOTHING_APPLIED, Outcome.ALLOW, [], 0, id="allows-by-access-effect"),
        pytest.param(request_of("bob", max_tokens=512), ALLOWED, Outcome.NOT_APPLICABLE, [], 0, id="at-the-cap"),
        pytest.param(
            request_of("bob", max_tokens=513), ALLOWED, Outcome.DENY, ["max-tokens-over-cap"], 0, id="over-the-cap"
        ),
        pytest.param(
            request_of("bob", max_tokens=2**70, tools=("calc", "shell")),
            ALLOWED,
            Outcome.DENY,
            ["max-tokens-over-cap", "tool-not-permitted"],
            0,
            id="two-reasons-sorted-and-an-integer-beyond-64-bits",
        ),
        pytest.param(request_of("alice"), ALLOWED, Outcome.NOT_APPLICABLE, [], 1, id="obligation-by-group"),
    ],
)
async def test_answers_what_the_guard_says(ask, asked, access, outcome, reasons, obligations) -> None:  # noqa: PLR0917
    answer = (await ask(snapshot_of(guard()), asked, access)).answers[0]
    assert answer.outcome is outcome
    assert answer.reasons == tuple(Reason(code=code, policy="request-caps") for code in reasons)
    assert answer.obligations == (Redact(policy="answer-redaction"),) * obligations


@pytest.mark.parametrize("ask", ALL, indirect=True)
async def test_answers_nothing_without_guards(ask) -> None:
    assert (await ask(snapshot_of(), request_of())).answers == ()


@pytest.mark.parametrize("ask", REGO, indirect=True)
async def test_answers_every_guard_by_id_in_its_mode(ask) -> None:
    second = "package gatehouse.guard.a_guard\n\nallow := true\n"
    snapshot = snapshot_of(guard(), guard(second, name="a-guard", mode=Mode.OBSERVE, data={}, reasons={}))
    answers = (await ask(snapshot, request_of("bob"))).answers
    assert [(answer.policy, answer.mode, answer.outcome) for answer in answers] == [
        ("a-guard", Mode.OBSERVE, Outcome.ALLOW),
        ("request-caps", Mode.ENFORCE, Outcome.NOT_APPLICABLE),
    ]


@pytest.mark.parametrize("ask", REGO, indirect=True)
@pytest.mark.parametrize(
    "rules",
    [
        pytest.param('deny contains "not-declared"', id="undeclared-reason"),
        pytest.param("deny contains 7", id="reason-is-a-number"),
        pytest.param("deny := true", id="deny-is-a-boolean"),
        pytest.param('obligations contains {"type": "cap", "policy": "answer-redaction"}', id="unknown-obligation"),
        pytest.param('obligations contains {"type": "redact", "policy": "nowhere"}', id="unknown-redaction"),
        pytest.param(
            'obligations contains {"type": "redact", "policy": "answer-redaction", "x": 1}', id="surplus-member"
        ),
        pytest.param('deny contains "max-tokens-over-cap" if to_number("x") > 1', id="built-in-fails"),
        pytest.param('deny contains "max-tokens-over-cap" if 1 / input.request.text_chars > 1', id="division-by-zero"),
        pytest.param("allow := input.subject.id\nallow := 2 if input.request.n == 1", id="conflicting-values"),
    ],
)
async def test_refuses_what_a_guard_may_not_say(ask, rules) -> None:
    snapshot = snapshot_of(guard(f"package gatehouse.guard.request_caps\n\n{rules}\n"))
    with pytest.raises(EvaluationFailed):
        await ask(snapshot, request_of())


@pytest.mark.parametrize("ask", REGO, indirect=True)
async def test_guard_sees_the_input_of_the_specification(ask) -> None:
    wanted = """package gatehouse.guard.request_caps

wanted := {
  "subject": {"type": "user", "id": "alice", "groups": ["staff"]},
  "action": {"name": "chat.completions"},
  "resource": {"type": "model", "id": "parrot"},
  "context": {"tenant": "default", "environment": "production", "time": "2026-11-20T18:00:00Z"},
  "request": {"stream": false, "max_tokens": null, "n": 1, "message_count": 2, "roles": ["system", "user"],
              "tools": [], "tool_choice": null, "text_chars": 12, "body_bytes": 118},
  "access": {"effect": "allow"},
}

allow if input == wanted
"""
    asked = request_of(message_count=2, roles=("system", "user"), text_chars=12, body_bytes=118)
    assert (await ask(snapshot_of(guard(wanted)), asked)).answers[0].outcome is Outcome.ALLOW


@pytest.mark.parametrize("ask", REGO, indirect=True)
@pytest.mark.parametrize(
    "tool",
    [pytest.param('sh"ell', id="quote"), pytest.param("shell\0", id="nul"), pytest.param("shéll😀", id="not-ascii")],
)
async def test_text_that_needs_care_is_read_exactly_or_refused(ask, tool) -> None:
    """Neither engine may take another name for the forbidden one, nor the forbidden one for another."""
    exact = guard(data={"max_tokens": 1, "forbidden_tools": ["shell", "shéll😀"]}, reasons=CAPS_REASONS)
    try:
        answer = await ask(snapshot_of(exact), request_of("bob", tools=(tool,)))
    except EvaluationFailed:
        assert tool != "shéll😀"
        return
    assert answer.answers[0].outcome is (Outcome.DENY if tool == "shéll😀" else Outcome.NOT_APPLICABLE)
