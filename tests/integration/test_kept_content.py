# SPDX-License-Identifier: Apache-2.0
"""A node as it is shipped, under a logging policy: what its records keep, and what its disk never has."""

import json

from policies.contracts.content import Side, content_hash
from policies.sealed_texts import Seal, SealedTexts
from tests.integration.test_traces import ANSWER, PROMPT, Inference, ask
from tests.policy_documents import shipped
from tests.running_node import running_node

TENANT, PSEUDONYM_KEY = "default", bytes.fromhex("ab" * 32)  # as the running node has them
DOCUMENT = {
    "kept.yaml": b"""\
kind: logging
id: kept
version: "1"
spec:
  content: {prompts: hashed, answers: sealed}
  operations: [chat.completions]
"""
}


def test_a_record_keeps_what_policy_says_and_no_text_is_on_the_disk_in_the_clear(tmp_path):
    with Inference().running() as inference:
        upstream = f"http://127.0.0.1:{inference.port}"
        with running_node(tmp_path, {**shipped(), **DOCUMENT}, upstream_url=upstream) as node:
            status, answer = ask(node)
            on_disk = b"".join(path.read_bytes() for path in (tmp_path / "node").rglob("*") if path.is_file())
    delivered = json.loads(answer)["choices"][0]["message"]["content"]
    assert (status, delivered) == (200, ANSWER)
    (record,) = [each for each in node.control_plane.records if json.loads(each["envelope"])["kind"] == "terminal"]
    envelope, content = json.loads(record["envelope"]), json.loads(record["payload"])["content"]
    assert envelope["content"]["answer"] == content_hash(PSEUDONYM_KEY, tenant=TENANT, text=ANSWER)
    assert "sealed" not in content["prompt"]
    sealed = SealedTexts.from_json(content["answer"]["sealed"])
    (text,) = Seal(key=PSEUDONYM_KEY, tenant=TENANT).open(sealed, side=Side.ANSWER, record_id=envelope["record_id"])
    assert (text.path, text.text) == ("choices.0.message.content", ANSWER)
    assert ANSWER.encode() not in on_disk
    assert PROMPT.encode() not in on_disk
    assert ANSWER not in node.log()
