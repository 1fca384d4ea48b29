# SPDX-License-Identifier: Apache-2.0
"""`docs/how-to/screen-prompts.md` and `approve-system-prompts.md`: their policies pass their tests in a release."""

import re
from pathlib import Path

import pytest

from policies.compiler.compile import compile_release
from policies.document.loader import load_documents
from policies.engines.embedded_rego import EmbeddedGuard
from policies.evaluation.policy_tests import run_tests
from policies.library import pack

HOW_TO = Path(__file__).resolve().parents[4] / "docs" / "how-to"


@pytest.mark.parametrize(("page", "tests"), [("screen-prompts.md", 3), ("approve-system-prompts.md", 0)])
async def test_the_policy_of_a_page_passes_its_tests(page, tests):
    [shown] = re.findall(r"^```yaml\n(kind: .*?)^```", (HOW_TO / page).read_text(), re.DOTALL | re.MULTILINE)
    routes = {"routes.yaml": pack("baseline")["openai-routes.yaml"], **pack("upstream")}
    others = load_documents(routes)
    documents = load_documents({"page.yaml": shown.encode()})
    snapshot = compile_release((*others, *documents), tenant="default", environment="production", opa_binary=None)
    guard = EmbeddedGuard(snapshot, modules={}, data={}, deadline_s=5.0)
    results = await run_tests(documents, snapshot, guard_engine=guard)
    assert [result.problem for result in results] == [""] * tests


async def test_the_pack_for_a_prompt_screen_passes_its_tests_and_refuses_nothing():
    routes = {"routes.yaml": pack("baseline")["openai-routes.yaml"], **pack("upstream")}
    documents = load_documents({**routes, **pack("prompt-screen")})
    snapshot = compile_release(documents, tenant="default", environment="production", opa_binary=None)
    guard = EmbeddedGuard(snapshot, modules={}, data={}, deadline_s=5.0)
    results = await run_tests(documents, snapshot, guard_engine=guard)
    assert [result.problem for result in results if result.policy == "prompt-screen"] == [""] * 2
    assert [policy.mode for policy in snapshot.screening] == ["observe"]
