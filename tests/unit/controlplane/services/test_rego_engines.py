# SPDX-License-Identifier: Apache-2.0
"""Policy tests run on the engine that the nodes run, the same tests on either."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from controlplane.services.rego_engines import GuardEngineName, RegoEngines
from controlplane.services.release_tests import test_release as run_release
from policies.contracts.errors import PolicyRejected
from tests.control_planes import ACCESS, ROUTES

ROOT = Path(__file__).resolve().parents[4]

CAPS = """\
kind: guard
id: caps
version: "1"
spec:
  reasons: {{too-many: "No more than this."}}
  data: {{max_tokens: 512}}
  module: |
    package gatehouse.guard.caps
    {body}
tests:
  - name: a small answer is allowed
    request: {{subject: user:bob, operation: chat.completions, model: parrot, facts: {{max_tokens: 512}}}}
    expect: {{effect: allow}}
  - name: a large one is not
    request: {{subject: user:bob, operation: chat.completions, model: parrot, facts: {{max_tokens: 513}}}}
    expect: {{effect: deny, reasons: [too-many]}}
"""
PLAIN = 'deny contains "too-many" if input.request.max_tokens > data.gatehouse.guard_data.caps.max_tokens'
# rego-cpp has no net.cidr_contains, so only OPA can run this one.
OPA_ONLY = PLAIN + ' - count([1 | net.cidr_contains("10.0.0.0/8", "192.0.2.1")])'


def files(body: str) -> dict[str, bytes]:
    return {
        "access.yaml": ACCESS.encode(),
        "routes.yaml": ROUTES.encode(),
        "caps.yaml": CAPS.format(body=body).encode(),
    }


def run(body: str, *, nodes: GuardEngineName, opa: Path | None):
    rego = RegoEngines(nodes=nodes, opa_binary=None if opa is None else str(opa))
    return asyncio.run(run_release(files(body), rego=rego))


def opa_children() -> list[int]:
    return [child.pid for child in psutil.Process().children(recursive=True) if "gatehouse-opa-" in child.cwd()]


@pytest.fixture(params=["opa", "embedded", "no-binary"])
def engine(request):
    if request.param == "opa":
        return {"nodes": GuardEngineName.OPA, "opa": request.getfixturevalue("opa_binary")}
    if request.param == "embedded":
        return {"nodes": GuardEngineName.EMBEDDED, "opa": None}
    return {"nodes": GuardEngineName.OPA, "opa": None}


def test_the_same_tests_pass_on_every_engine(engine):
    results = run(PLAIN, **engine)
    assert [(result.policy, result.passed) for result in results] == [
        ("caps", True),
        ("caps", True),
        ("chat-access", True),
    ]


def test_the_same_test_fails_on_every_engine(engine):
    results = run(PLAIN.replace(">", ">="), **engine)
    assert [result.passed for result in results if result.policy == "caps"] == [False, True]


@pytest.mark.opa
def test_a_guard_that_would_run_for_hours_is_ended_by_the_deadline(opa_binary):
    few = "some a in numbers.range(1, 5000); some b in numbers.range(1, 5000); some c in numbers.range(1, 5000)"
    endless = f'deny contains "too-many" if {{ input.request.max_tokens > 512; {few}; a + b + c < 0 }}'
    results = run(endless, nodes=GuardEngineName.OPA, opa=opa_binary)
    assert {result.name: result.passed for result in results if result.policy == "caps"} == {
        "a small answer is allowed": True,
        "a large one is not": False,
    }
    assert opa_children() == []


def test_a_guard_that_only_opa_can_run_is_tested_with_opa(opa_binary):
    assert all(result.passed for result in run(OPA_ONLY, nodes=GuardEngineName.OPA, opa=opa_binary))


@pytest.mark.opa
def test_a_guard_that_only_opa_can_run_is_refused_where_the_nodes_run_the_embedded_engine(opa_binary):
    with pytest.raises(PolicyRejected) as caught:
        run(OPA_ONLY, nodes=GuardEngineName.EMBEDDED, opa=opa_binary)
    assert {diagnostic.code for diagnostic in caught.value.diagnostics} == {"rego-refused"}
    assert caught.value.diagnostics[0].at.file == "caps.yaml"


@pytest.mark.opa
def test_no_opa_is_left_behind(opa_binary):
    run(PLAIN, nodes=GuardEngineName.OPA, opa=opa_binary)
    assert opa_children() == []


@pytest.mark.opa
def test_an_opa_that_does_not_start_refuses_the_release(opa_binary, tmp_path):
    broken = tmp_path / "opa"
    broken.write_text(f'#!/bin/sh\n[ "$1" = run ] && exit 3\nexec {opa_binary} "$@"\n')
    broken.chmod(0o700)
    with pytest.raises(PolicyRejected) as caught:
        run(PLAIN, nodes=GuardEngineName.OPA, opa=broken)
    assert [diagnostic.code for diagnostic in caught.value.diagnostics] == ["rego-untested"]
    assert "status 3" in caught.value.diagnostics[0].message


@pytest.mark.opa
def test_opa_ends_with_a_control_plane_that_is_killed(opa_binary):
    script = (
        "import asyncio, os, sys, tests.unit.controlplane.services.test_rego_engines as t\n"
        "from policies.compiler.compile import compile_release\n"
        "from policies.document.loader import load_documents\n"
        "s = compile_release(load_documents(t.files(t.PLAIN)), tenant='default', environment='production',"
        " opa_binary=sys.argv[1])\n"
        "async def main():\n"
        "  async with t.RegoEngines(nodes=t.GuardEngineName.OPA, opa_binary=sys.argv[1]).guard(s):\n"
        "    print(*t.opa_children(), flush=True)\n"
        "    os.kill(os.getpid(), 9)\n"
        "asyncio.run(main())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(opa_binary)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    (pid,) = map(int, done.stdout.split())
    assert done.returncode == -9
    _, alive = psutil.wait_procs([psutil.Process(pid)] if psutil.pid_exists(pid) else [], timeout=5)
    assert [one for one in alive if one.status() != psutil.STATUS_ZOMBIE] == []


@pytest.mark.parametrize("module", ["controlplane.__main__", "controlplane.services.release_tests"])
def test_the_embedded_engine_is_usable_where_it_is_needed(module):
    script = f"import {module}; from policies.engines import rego_library; print(rego_library.LOADED_IN_ORDER)"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "True"
