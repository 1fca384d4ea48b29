# SPDX-License-Identifier: Apache-2.0
"""A node as it is shipped, whose rule hashes: its worker writes hashes with the tenant's key, and compiles nothing."""

import json

from policies.compiler.compile import compile_redactions
from policies.contracts.record import redaction_key
from policies.document.loader import load_documents
from policies.redaction.engine import Redaction
from tests.integration.test_traces import ANSWER, Inference, ask
from tests.policy_documents import shipped
from tests.running_node import running_node

TENANT, PSEUDONYM_KEY = "default", bytes.fromhex("ab" * 32)  # as the running node has them
DOCUMENT = {
    "hashes.yaml": f"""\
kind: redaction
id: hashes
version: "1"
spec:
  literals:
    - {{id: code-names, values: [{ANSWER}]}}
  rules:
    - {{id: code-names, detectors: [code-names], action: hash}}
""".encode()
}


def test_a_hash_is_written_with_the_tenants_key(tmp_path):
    with Inference().running() as inference:
        upstream = f"http://127.0.0.1:{inference.port}"
        with running_node(tmp_path, {**shipped(), **DOCUMENT}, upstream_url=upstream) as node:
            status, answer = ask(node)
            assert "patterns_compiled" in node.log()
    key = redaction_key(PSEUDONYM_KEY, tenant=TENANT)
    redaction = Redaction.of(compile_redactions(load_documents(DOCUMENT)), hash_key=key)
    want = redaction.text(operation="chat.completions", model="parrot", text=ANSWER).text
    assert want.startswith("[code-names:")
    assert (status, json.loads(answer)["choices"][0]["message"]["content"]) == (200, want)
    assert (tmp_path / "node" / "patterns").stat().st_mode & 0o777 == 0o700
