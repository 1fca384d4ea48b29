# SPDX-License-Identifier: Apache-2.0
"""`screening`: what requests may not say, or what is noted where they do. Expressions are the compiler's business."""

from typing import Final

from policies.contracts.screening import (
    INJECTION,
    LEAST_DEADLINE_MS,
    LONGEST_DEADLINE_MS,
    SCREENED,
    USUAL_DEADLINE_MS,
    ClassifierRule,
    Otherwise,
    ScreenAsk,
    ScreenEffect,
    ScreeningRule,
)
from policies.contracts.snapshot import FieldClass
from policies.document import forms
from policies.document.kinds.rules import check_ids
from policies.document.model import ScreeningSpec
from policies.document.reader import Members

_LOOKED_FOR: Final = ("phrases", "expressions")
_SELECTORS: Final = ("fields", "operations", "models", "subjects", "reason")
_RULE: Final = ("id", "effect", *_LOOKED_FOR, *_SELECTORS)
_CLASSIFIER_RULE: Final = ("id", "effect", "threshold", "thresholds", *_SELECTORS)
_ASK: Final = ("deadline_ms", "when_absent", "when_incomplete")
# More would make a scan of every text slower for everybody, as in redaction.
MAX_PHRASES: Final = 10_000
MAX_EXPRESSIONS: Final = 1_000
# Rules with other classes of fields are other questions, and each question is a round of the classifier.
MAX_CLASSIFIER_RULES: Final = 16


def read_screening(document: Members, _id: str) -> ScreeningSpec:
    """Return the `spec` of a screening policy."""
    spec = document.object("spec", known=("rules", "classifier", "ask"))
    if spec is None:
        return ScreeningSpec(rules=())
    if "rules" not in spec and "classifier" not in spec:
        spec.notes.add("member-missing", spec.node.at, "There are no rules.", "Add 'rules' or 'classifier'.")
    entries = spec.objects("rules", known=_RULE, required=("id", "effect"), at_least=1)
    rules = tuple(map(_rule, entries))
    asking = spec.objects("classifier", known=_CLASSIFIER_RULE, required=("id", "effect"), at_least=1)
    classifier = tuple(map(_classifier_rule, asking))
    check_ids([*entries, *asking], [*(rule.id for rule in rules), *(rule.id for rule in classifier)])
    if len(classifier) > MAX_CLASSIFIER_RULES:
        problem = f"There are more than {MAX_CLASSIFIER_RULES} rules for the classifier."
        spec.notes.add("too-many", spec.at("classifier"), problem, "Split the policy.")
    for what, count, most in (
        ("phrases", sum(len(rule.phrases) for rule in rules), MAX_PHRASES),
        ("expressions", sum(len(rule.expressions) for rule in rules), MAX_EXPRESSIONS),
    ):
        if count > most:
            spec.notes.add(
                "too-many", spec.at("rules"), f"The rules have more than {most} {what}.", "Split the policy."
            )
    if "ask" in spec and not classifier:
        problem = "Without 'classifier' rules nobody is asked."
        spec.notes.add("option-without-effect", spec.at("ask"), problem, "Remove it.")
    return ScreeningSpec(rules=rules, classifier=classifier, ask=_ask(spec) if classifier else None)


def _rule(rule: Members) -> ScreeningRule:
    if not any(name in rule for name in _LOOKED_FOR):
        rule.notes.add("screens-nothing", rule.node.at, "Nothing is looked for.", "Add phrases or expressions.")
    return ScreeningRule(
        id=rule.text("id", forms.ID),
        effect=_effect(rule),
        phrases=rule.texts("phrases", forms.PHRASE, at_least=1),
        expressions=rule.texts("expressions", forms.EXPRESSION, at_least=1),
        fields=rule.choices("fields", FieldClass),
        operations=rule.texts("operations", forms.OPERATION),
        models=rule.texts("models", forms.MODEL),
        subjects=rule.texts("subjects", forms.SUBJECT),
        reason=rule.text("reason", forms.REASON) if "reason" in rule else SCREENED,
    )


def _effect(rule: Members) -> ScreenEffect:
    effect = rule.choice("effect", ScreenEffect, ScreenEffect.DENY)
    if "reason" in rule and effect is ScreenEffect.FLAG:
        problem = "A flag refuses nothing, so that no reason is told."
        rule.notes.add("option-without-effect", rule.at("reason"), problem, "Remove it.")
    return effect


def _classifier_rule(rule: Members) -> ClassifierRule:
    fields = rule.choices("fields", FieldClass)
    threshold, thresholds = rule.share("threshold"), _thresholds(rule, fields)
    if "threshold" not in rule:
        if not thresholds:
            rule.notes.add("member-missing", rule.node.at, "There is no threshold.", "Add 'threshold'.")
        for field in fields:
            if field not in thresholds:
                problem = f"There is no threshold for texts of the class {field}."
                rule.notes.add("member-missing", rule.at("fields"), problem, "Add 'threshold'.")
    elif fields and thresholds.keys() == set(fields):
        problem = "Every class of 'fields' has a threshold of its own."
        rule.notes.add("option-without-effect", rule.at("threshold"), problem, "Remove it.")
    return ClassifierRule(
        id=rule.text("id", forms.ID),
        effect=_effect(rule),
        threshold_bp=threshold,
        thresholds_bp=thresholds,
        fields=fields,
        operations=rule.texts("operations", forms.OPERATION),
        models=rule.texts("models", forms.MODEL),
        subjects=rule.texts("subjects", forms.SUBJECT),
        reason=rule.text("reason", forms.REASON) if "reason" in rule else INJECTION,
    )


def _thresholds(rule: Members, fields: tuple[FieldClass, ...]) -> dict[FieldClass, int]:
    """Return the thresholds of single classes. One of a class that the rule does not select would never matter."""
    own = rule.object("thresholds", known=tuple(FieldClass))
    thresholds: dict[FieldClass, int] = {}
    for name in FieldClass if own is not None else ():
        share = own.share(name) if own is not None else None
        if share is not None:
            thresholds[name] = share
            if fields and name not in fields:
                problem = f"The rule does not look at texts of the class {name}."
                rule.notes.add("option-without-effect", rule.at("thresholds"), problem, "Add it to 'fields'.")
    return thresholds


def _ask(spec: Members) -> ScreenAsk:
    stated = spec.object("ask", known=_ASK)
    if stated is None:
        return ScreenAsk()
    deadline_ms = stated.integer("deadline_ms", low=LEAST_DEADLINE_MS, high=LONGEST_DEADLINE_MS)
    return ScreenAsk(
        deadline_ms=USUAL_DEADLINE_MS if deadline_ms is None else deadline_ms,
        when_absent=stated.choice("when_absent", Otherwise, Otherwise.DENY),
        when_incomplete=stated.choice("when_incomplete", Otherwise, Otherwise.DENY),
    )
