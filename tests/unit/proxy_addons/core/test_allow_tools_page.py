# SPDX-License-Identifier: Apache-2.0
"""`docs/how-to/allow-tools.md`: its policies compile, and what it shows of an exchange is what happens."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from policies.compiler.compile import compile_release
from policies.contracts.tools import AskedCall, OnRefusal
from policies.document.loader import load_documents
from policies.engines.embedded_rego import EmbeddedGuard
from policies.library import pack
from tests.contract.guards import ALLOWED, data_of, modules_of, request_of
from tests.unit.proxy_addons.harness import Upstream, chat, ready_harness

PAGE = (Path(__file__).resolve().parents[4] / "docs" / "how-to" / "allow-tools.md").read_text()
YAML = re.findall(r"^```yaml\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
MODEL, CLIENT, RECORD = map(json.loads, re.findall(r"^```json\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE))
FILES = {**pack("baseline"), **pack("demo")} | {f"{number}.yaml": text.encode() for number, text in enumerate(YAML)}


def compiled(rego: str | None) -> Any:
    return compile_release(load_documents(FILES), tenant="default", environment="production", opa_binary=rego)


async def test_the_exchange_is_the_one_that_is_shown():
    harness = ready_harness(tools=compiled(None).tools, redactions=())
    choice = {"index": 0, "message": MODEL, "finish_reason": "tool_calls"}
    body = {"id": "x", "object": "chat.completion", "created": 1, "model": "parrot", "choices": [choice]}
    tools = [{"type": "function", "function": {"name": name}} for name in ("search", "read_file")]
    told = await harness.send(chat(tools=tools), upstream=Upstream(pieces=[json.dumps(body).encode()]))
    assert json.loads(told.body)["choices"][0]["message"] == CLIENT
    assert harness.sink.envelopes[-1]["tool_calls"] == RECORD


CASES = [
    pytest.param([{"to": "bob@example.com"}], [], id="inside"),
    pytest.param([{"to": "bob@example.org"}], ["mail-outside"], id="outside"),
    pytest.param([{}], ["mail-outside"], id="to nobody"),
    pytest.param([{"to": "bob@example.com"}] * 4, ["too-many-calls"] * 4, id="too many"),
]


@pytest.mark.parametrize(("arguments", "want"), CASES)
async def test_the_guard_denies_what_it_says(arguments, want):
    snapshot = compiled(None)
    guard = EmbeddedGuard(snapshot, modules=modules_of(snapshot), data=data_of(snapshot), deadline_s=10)
    calls = [AskedCall(index=at, name="send_mail", arguments=each) for at, each in enumerate(arguments)]
    denied = await guard.judge(request_of(), ALLOWED, calls)
    await guard.close()
    assert [each.reason.code for each in denied] == want


def test_opa_takes_the_guard_too(opa_binary):
    guards = {guard.id: guard.calls for guard in compiled(str(opa_binary)).guards}
    assert guards["mail-guard"] is OnRefusal.REMOVE
