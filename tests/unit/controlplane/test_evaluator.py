# SPDX-License-Identifier: Apache-2.0
"""An evaluator over a real OPA: it decides, survives the death of its OPA, and ends it."""

import asyncio
import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest

from controlplane.evaluator import Evaluator
from controlplane.services.rego_engines import GuardEngineName, OpaNotStarted, RegoEngines
from policies.contracts.decision import Effect
from policies.contracts.request import EvaluationRequest
from tests.contract.guards import CAPS, guard, request_of, snapshot_of

EMBEDDED = RegoEngines(nodes=GuardEngineName.EMBEDDED, opa_binary=None)
ALLOWS = CAPS + "\nallow if input.request.n == 1\n"
READS = ("access.effect", "request.max_tokens", "request.n", "request.tools", "subject.groups")


def asked(**facts: object) -> EvaluationRequest:
    return replace(request_of(**facts), request_id="")


async def opened(rego: RegoEngines) -> Evaluator:
    return await Evaluator.open(snapshot_of(guard(ALLOWS, reads=READS)), serial=7, rego=rego)


def opas() -> list[int]:
    """Return the process ids of the OPAs of this process."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                line = (folder / "cmdline").read_bytes()
                parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            except (OSError, IndexError):
                continue
            if parent == os.getpid() and b"opa.sock" in line and b"--server" in line:
                found.append(int(folder.name))
    return found


async def test_it_decides_and_tells_what_guards_saw():
    evaluator = await opened(EMBEDDED)
    assert (await evaluator.decide(asked(max_tokens=5))).effect is Effect.ALLOW
    assert (await evaluator.decide(asked(max_tokens=513))).effect is Effect.DENY
    assert evaluator.input_of(asked(max_tokens=5))["request"]["max_tokens"] == 5
    assert evaluator.texts["max-tokens-over-cap"] == "Too many tokens."
    await evaluator.retire()


@pytest.mark.opa
async def test_an_opa_that_dies_is_started_again_and_nobody_notices(opa_binary):
    evaluator = await opened(RegoEngines(nodes=GuardEngineName.OPA, opa_binary=str(opa_binary)))
    try:
        decision = await evaluator.decide(asked(max_tokens=5))
        assert (decision.effect, decision.engines[1].provenance) == (
            Effect.ALLOW,
            f"7+{evaluator.snapshot.revision}",
        )
        (pid,) = opas()
        os.kill(pid, signal.SIGKILL)
        decisions = await asyncio.gather(*(evaluator.decide(asked(max_tokens=n)) for n in range(20)))
        assert {decision.effect for decision in decisions} == {Effect.ALLOW}
        assert len(opas()) == 1
        assert opas() != [pid]
    finally:
        await evaluator.retire()
    assert opas() == []


@pytest.mark.opa
async def test_an_opa_that_cannot_be_started_again_refuses(opa_binary, monkeypatch):
    evaluator = await opened(RegoEngines(nodes=GuardEngineName.OPA, opa_binary=str(opa_binary)))
    try:
        assert (await evaluator.decide(asked(max_tokens=5))).effect is Effect.ALLOW

        async def fail(_: Evaluator) -> None:
            raise OpaNotStarted("gone")

        monkeypatch.setattr(Evaluator, "_start", fail)
        (pid,) = opas()
        os.kill(pid, signal.SIGKILL)
        for _ in range(2):
            decision = await evaluator.decide(asked(max_tokens=6))
            assert [reason.code for reason in decision.reasons] == ["evaluation-failed"]
    finally:
        await evaluator.retire()


async def test_it_ends_only_when_nobody_uses_it():
    evaluator = await opened(EMBEDDED)
    with evaluator:
        retiring = asyncio.create_task(evaluator.retire())
        await asyncio.sleep(0.01)
        assert not retiring.done()
        assert evaluator.is_retired
        assert (await evaluator.decide(asked(max_tokens=5))).effect is Effect.ALLOW
    await asyncio.wait_for(retiring, 5)
