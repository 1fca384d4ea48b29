# SPDX-License-Identifier: Apache-2.0
"""`tools`: which tool calls of an answer leave. Whether a schema is one is the compiler's business."""

from policies.contracts.decision import Effect
from policies.contracts.tools import OnRefusal, ToolRule
from policies.document import forms
from policies.document.kinds.rules import check_ids
from policies.document.model import ToolsSpec
from policies.document.reader import Members

_RULE = ("id", "effect", "subjects", "operations", "models", "tools", "arguments", "patterns")


def read_tools(document: Members, _id: str) -> ToolsSpec:
    """Return the `spec` of a tools policy."""
    spec = document.object("spec", known=("on_refusal", "rules"), required=("rules",))
    if spec is None:
        return ToolsSpec(on_refusal=OnRefusal.CUT, rules=())
    entries = spec.objects("rules", known=_RULE, required=("id", "effect", "subjects", "tools"))
    rules = tuple(map(_rule, entries))
    check_ids(entries, [rule.id for rule in rules])
    return ToolsSpec(on_refusal=spec.choice("on_refusal", OnRefusal, OnRefusal.REMOVE), rules=rules)


def _rule(rule: Members) -> ToolRule:
    patterns = {name: rule.text_of(node, forms.VALUE) for name, node in rule.entries("patterns", forms.ARGUMENT)}
    return ToolRule(
        id=rule.text("id", forms.ID),
        effect=rule.choice("effect", Effect, Effect.DENY),
        subjects=rule.texts("subjects", forms.SUBJECT, at_least=1),
        operations=rule.texts("operations", forms.OPERATION),
        models=rule.texts("models", forms.MODEL),
        tools=rule.texts("tools", forms.TOOL, at_least=1),
        arguments=rule.json("arguments") if "arguments" in rule else None,
        patterns=patterns or None,
    )
