# SPDX-License-Identifier: Apache-2.0
from policies.compiler.prompts_checks import check_prompts
from policies.document.loader import load_documents

ROUTES = """\
kind: routes
id: openai-routes
version: "1"
spec:
  routes:
    - {id: chat, method: POST, path: /v1/chat/completions, operation: chat.completions, dialect: openai.chat}
    - {id: completions, method: POST, path: /v1/completions, operation: completions, dialect: openai.completions}
"""
PROMPTS = """\
kind: prompts
id: approved
version: "1"
spec:
  prompts: [{name: plain, text: You answer.}]
  rules: [{id: one, insert: plain, operations: [chat.completions, completions, "*", elsewhere]}]
"""


def test_an_operation_without_system_prompt_cannot_be_named():
    documents = load_documents({"a.yaml": ROUTES.encode(), "b.yaml": PROMPTS.encode()})
    [found] = check_prompts(documents)
    assert (found.code, found.at.pointer) == ("no-system-prompt", "/spec/rules/0/operations/1")
