# SPDX-License-Identifier: Apache-2.0
"""The node compiles what a snapshot looks for once, beside its event loop; workers find it, or refuse."""

import asyncio
import sys
from dataclasses import replace

import pytest

from policies.contracts.decision import Mode
from policies.contracts.snapshot import CustomDetector, CustomPattern, RedactionAction, RedactionPolicy, RedactionRule
from policies.redaction.engine import Redaction
from policies.scanning.kept import KeptDatabases, NotCompiled
from proxy_addons.node.patterns import PatternKeeper, PatternsNotCompiled

FAILS = (sys.executable, "-c", "import sys; sys.exit('out of patience')")
WRITES_NOTHING = (sys.executable, "-c", "import sys; sys.stdin.read()")
WAITS = (sys.executable, "-c", "import time; time.sleep(60)")


def policies(*detectors: str) -> tuple[RedactionPolicy, ...]:
    rule = RedactionRule(id="r", detectors=detectors, action=RedactionAction.REPLACE)
    return (RedactionPolicy(id="p", version="1", mode=Mode.ENFORCE, operations=("*",), models=("*",), rules=(rule,)),)


def loaded(keeper: PatternKeeper, *detectors: str) -> Redaction:
    """Load as a worker does."""
    return Redaction.of(policies(*detectors), kept=KeptDatabases(keeper.folder, compiles=False))


async def test_what_was_prepared_is_loaded_and_not_compiled(tmp_path):
    keeper = PatternKeeper(tmp_path)
    with pytest.raises(NotCompiled):
        loaded(keeper, "email")
    await keeper.prepare(policies("email"))
    text = loaded(keeper, "email").text(operation="chat.completions", model="m", text="to alice@example.com")
    assert text.text == "to [redacted:email]"
    assert keeper.folder.stat().st_mode & 0o777 == 0o700


async def test_the_same_is_not_compiled_again(tmp_path):
    await PatternKeeper(tmp_path).prepare(policies("email"))
    again = PatternKeeper(tmp_path, program=FAILS)
    await again.prepare(policies("email"))
    with pytest.raises(PatternsNotCompiled, match="status 1: out of patience"):
        await again.prepare(policies("email", "payment-card"))


async def test_where_nothing_is_looked_for_nothing_is_compiled(tmp_path):
    keeper = PatternKeeper(tmp_path, program=FAILS)
    await keeper.prepare(())
    assert (
        Redaction.of((), kept=KeptDatabases(keeper.folder, compiles=False)).applicable(operation="o", model="m") == ()
    )


async def test_what_cannot_be_kept_is_not_called_compiled(tmp_path):
    with pytest.raises(PatternsNotCompiled, match=r"cannot be kept in .*patterns: see to space and access"):
        await PatternKeeper(tmp_path, program=WRITES_NOTHING).prepare(policies("email"))


async def test_a_detector_that_is_not_here_is_said(tmp_path):
    with pytest.raises(PatternsNotCompiled, match="no such detector: of-tomorrow"):
        await PatternKeeper(tmp_path).prepare(policies("of-tomorrow"))


async def test_whoever_stops_waiting_does_not_stop_the_compiler(tmp_path):
    keeper = PatternKeeper(tmp_path)
    waiting = asyncio.create_task(keeper.prepare(policies("email")))
    while not keeper.compiling:
        await asyncio.sleep(0.001)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert keeper.compiling
    await keeper.prepare(policies("email"))
    assert not keeper.compiling
    loaded(keeper, "email")


async def test_the_compiler_ends_with_the_node(tmp_path):
    keeper = PatternKeeper(tmp_path, program=WAITS)
    waiting = asyncio.create_task(keeper.prepare(policies("email")))
    while not keeper.compiling:
        await asyncio.sleep(0.001)
    await keeper.stop()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert not keeper.compiling


async def test_the_event_loop_goes_on_meanwhile(tmp_path):
    sign = tmp_path / "sign"
    waits_for_it = f"import os, sys, time\nwhile not os.path.exists({str(sign)!r}): time.sleep(0.01)\nsys.exit('seen')"
    keeper = PatternKeeper(tmp_path, program=(sys.executable, "-c", waits_for_it))
    waiting = asyncio.create_task(keeper.prepare(policies("email")))
    while not keeper.compiling:
        await asyncio.sleep(0.001)
    sign.touch()
    with pytest.raises(PatternsNotCompiled, match="status 1: seen"):
        await waiting


async def test_what_this_node_cannot_even_read_is_a_problem_of_the_bundle(tmp_path):
    broken = CustomDetector(id="own", kind="OWN", patterns=(CustomPattern(expression="a+b"),), validator="of-tomorrow")
    policy = replace(policies("own")[0], detectors=(broken,))
    with pytest.raises(PatternsNotCompiled, match="of-tomorrow"):
        await PatternKeeper(tmp_path).prepare((policy,))
