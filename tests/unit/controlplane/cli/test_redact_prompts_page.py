# SPDX-License-Identifier: Apache-2.0
"""`docs/how-to/redact-prompts.md`: its policy passes its test, and what it shows of an exchange is what happens."""

import json
import re
from pathlib import Path

from policies.compiler.compile import compile_redactions
from policies.document.loader import load_documents
from policies.library import pack
from policies.redaction import pseudonyms
from tests.unit.proxy_addons.harness import Harness, active_policy, chat, key_ring, plain_answer

PAGE = (Path(__file__).resolve().parents[4] / "docs" / "how-to" / "redact-prompts.md").read_text()
[DOCUMENT] = re.findall(r"^```yaml\n(kind: .*?)^```", PAGE, re.DOTALL | re.MULTILINE)
SENT, REACHED, ANSWERED, TOLD = (
    text.strip() for text in re.findall(r"^```text\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
)


def harness() -> Harness:
    documents = load_documents({"prompts.yaml": DOCUMENT.encode()})
    return Harness(policy=active_policy(redactions=compile_redactions(documents)), keys=key_ring())


def test_the_policy_passes_its_test(gatehouse, tmp_path):
    files = {**pack("baseline"), **pack("upstream"), "prompts.yaml": DOCUMENT.encode()}
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    tested = gatehouse("policy", "test", *(tmp_path / name for name in files))
    assert tested.exit_code == 0, tested.output


async def test_what_the_page_shows_is_what_happens():
    told = await harness().send(chat(SENT), upstream=plain_answer(ANSWERED))
    assert json.loads(told.sent_upstream[0])["messages"][0]["content"] == REACHED
    assert json.loads(told.body)["choices"][0]["message"]["content"] == TOLD


async def test_a_blocked_prompt_is_told_as_the_page_says():
    told = await harness().send(chat("AKIAIOSFODNN7" + "EXAMPLE"))
    assert (told.status, told.code) == (403, "request-blocked")
    assert "cloud-key" in told.message


def test_the_bounds_are_those_of_the_code():
    assert f"{pseudonyms.MAX_PSEUDONYMS:,} values of at most {pseudonyms.MAX_VALUE_CHARS:,} characters" in PAGE
    assert pseudonyms.MAX_RESTORED_CHARS == 2**20
