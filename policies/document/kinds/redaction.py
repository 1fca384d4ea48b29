# SPDX-License-Identifier: Apache-2.0
"""`redaction`: what is replaced in answers, and what blocks them."""

from policies.contracts.snapshot import RedactionAction, RedactionRule
from policies.document import forms
from policies.document.kinds.rules import check_ids
from policies.document.model import RedactionSpec
from policies.document.reader import Members

_RULE = ("id", "detectors", "action")


def read_redaction(document: Members, _id: str) -> RedactionSpec:
    """Return the `spec` of a redaction policy."""
    spec = document.object("spec", known=("operations", "models", "rules"), required=("rules",))
    if spec is None:
        return RedactionSpec(operations=(), models=(), rules=())
    entries = spec.objects("rules", known=_RULE, required=_RULE, at_least=1)
    rules = tuple(map(_rule, entries))
    check_ids(entries, [rule.id for rule in rules])
    return RedactionSpec(
        operations=spec.texts("operations", forms.OPERATION),
        models=spec.texts("models", forms.MODEL),
        rules=rules,
    )


def _rule(rule: Members) -> RedactionRule:
    return RedactionRule(
        id=rule.text("id", forms.ID),
        detectors=rule.texts("detectors", forms.ID, at_least=1),
        action=rule.choice("action", RedactionAction, RedactionAction.BLOCK),
    )
