# SPDX-License-Identifier: Apache-2.0
"""`screening`: what requests may not say, or what is noted where they do. Expressions are the compiler's business."""

from typing import Final

from policies.contracts.screening import SCREENED, ScreenEffect, ScreeningRule
from policies.contracts.snapshot import FieldClass
from policies.document import forms
from policies.document.kinds.rules import check_ids
from policies.document.model import ScreeningSpec
from policies.document.reader import Members

_LOOKED_FOR: Final = ("phrases", "expressions")
_RULE: Final = ("id", "effect", *_LOOKED_FOR, "fields", "operations", "models", "subjects", "reason")
# More would make a scan of every text slower for everybody, as in redaction.
MAX_PHRASES: Final = 10_000
MAX_EXPRESSIONS: Final = 1_000


def read_screening(document: Members, _id: str) -> ScreeningSpec:
    """Return the `spec` of a screening policy."""
    spec = document.object("spec", known=("rules",), required=("rules",))
    if spec is None:
        return ScreeningSpec(rules=())
    entries = spec.objects("rules", known=_RULE, required=("id", "effect"), at_least=1)
    rules = tuple(map(_rule, entries))
    check_ids(entries, [rule.id for rule in rules])
    for what, count, most in (
        ("phrases", sum(len(rule.phrases) for rule in rules), MAX_PHRASES),
        ("expressions", sum(len(rule.expressions) for rule in rules), MAX_EXPRESSIONS),
    ):
        if count > most:
            spec.notes.add(
                "too-many", spec.at("rules"), f"The rules have more than {most} {what}.", "Split the policy."
            )
    return ScreeningSpec(rules=rules)


def _rule(rule: Members) -> ScreeningRule:
    if not any(name in rule for name in _LOOKED_FOR):
        rule.notes.add("screens-nothing", rule.node.at, "Nothing is looked for.", "Add phrases or expressions.")
    effect = rule.choice("effect", ScreenEffect, ScreenEffect.DENY)
    if "reason" in rule and effect is ScreenEffect.FLAG:
        problem = "A flag refuses nothing, so that no reason is told."
        rule.notes.add("option-without-effect", rule.at("reason"), problem, "Remove it.")
    return ScreeningRule(
        id=rule.text("id", forms.ID),
        effect=effect,
        phrases=rule.texts("phrases", forms.PHRASE, at_least=1),
        expressions=rule.texts("expressions", forms.EXPRESSION, at_least=1),
        fields=rule.choices("fields", FieldClass),
        operations=rule.texts("operations", forms.OPERATION),
        models=rule.texts("models", forms.MODEL),
        subjects=rule.texts("subjects", forms.SUBJECT),
        reason=rule.text("reason", forms.REASON) if "reason" in rule else SCREENED,
    )
