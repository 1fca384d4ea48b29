# SPDX-License-Identifier: Apache-2.0
"""`access`: groups, and grants of models and operations."""

from datetime import datetime

from policies.contracts.decision import Effect
from policies.contracts.snapshot import Grant
from policies.document import forms
from policies.document.kinds.rules import check_ids
from policies.document.model import AccessSpec
from policies.document.reader import Members

_GRANT = ("id", "effect", "subjects", "models", "operations", "expires")


def read_access(document: Members, _id: str) -> AccessSpec:
    """Return the `spec` of an access policy."""
    spec = document.object("spec", known=("groups", "grants"), required=("grants",))
    if spec is None:
        return AccessSpec(groups={}, grants=())
    groups = {name: spec.texts_of(node, forms.MEMBER) for name, node in spec.entries("groups", forms.GROUP)}
    rules = spec.objects("grants", known=_GRANT, required=("id", "effect", "subjects", "operations"), at_least=1)
    grants = tuple(map(_grant, rules))
    check_ids(rules, [grant.id for grant in grants])
    return AccessSpec(groups=groups, grants=grants)


def _grant(rule: Members) -> Grant:
    return Grant(
        id=rule.text("id", forms.ID),
        effect=rule.choice("effect", Effect, Effect.DENY),
        subjects=rule.texts("subjects", forms.SUBJECT, at_least=1),
        models=rule.texts("models", forms.MODEL),
        operations=rule.texts("operations", forms.OPERATION, at_least=1),
        expires=_end(rule),
    )


def _end(rule: Members) -> str | None:
    """Return when the grant ends: in UTC and to the second, so that one moment has one form."""
    text = rule.text("expires", forms.MOMENT)
    if not text:
        return None
    try:
        datetime.fromisoformat(text)
    except ValueError:
        rule.notes.add("bad-time", rule.at("expires"), "There is no such time.", "Write a day that there is.")
        return None
    return text
