# SPDX-License-Identifier: Apache-2.0
"""`redaction`: what is looked for in requests and answers, what is done about it, and where."""

from typing import Final

from policies.contracts.snapshot import (
    AtBound,
    Decoding,
    Direction,
    EmbeddingInputs,
    FieldClass,
    HoldBounds,
    LogProbabilities,
    OverBudget,
    RedactionAction,
    RedactionRule,
    Strictness,
)
from policies.document import forms
from policies.document.kinds.redaction_detectors import read_detectors, read_literals
from policies.document.kinds.rules import check_ids
from policies.document.model import RedactionSpec
from policies.document.reader import Members

_SELECTORS: Final = ("operations", "models", "subjects")
_TERMS: Final = ("hold", "decoding", "embeddings", "log_probabilities")
_SPEC: Final = ("rules", *_SELECTORS, "detectors", "literals", *_TERMS)
_RULE: Final = ("id", "detectors", "action")
_OF_RULE: Final = ("keep_last", "directions", "fields", *_SELECTORS, "strictness", "reversible")

# A mask that left more would leave a number that can be guessed.
MOST_KEPT: Final = 4
LEAST_HELD: Final = 1024
MOST_HELD: Final = 1_048_576
LEAST_HELD_MS: Final = 10
MOST_HELD_MS: Final = 60_000
MOST_DEPTH: Final = 5
LEAST_DECODED: Final = 4096
MOST_DECODED: Final = 67_108_864
# What only a request has. A rule that names nothing else and no direction was meant for requests.
_OF_REQUESTS: Final = frozenset({FieldClass.USER, FieldClass.SYSTEM, FieldClass.DEVELOPER, FieldClass.TOOL_SCHEMA})


def read_redaction(document: Members, _id: str) -> RedactionSpec:
    """Return the `spec` of a redaction policy."""
    spec = document.object("spec", known=_SPEC, required=("rules",))
    if spec is None:
        return RedactionSpec()
    entries = spec.objects("rules", known=(*_RULE, *_OF_RULE), required=_RULE, at_least=1)
    rules = tuple(map(_rule, entries))
    check_ids(entries, [rule.id for rule in rules])
    detectors, samples = read_detectors(spec)
    return RedactionSpec(
        rules=rules,
        operations=spec.texts("operations", forms.OPERATION),
        models=spec.texts("models", forms.MODEL),
        subjects=spec.texts("subjects", forms.SUBJECT),
        detectors=detectors,
        samples=samples,
        literals=read_literals(spec, taken=[detector.id for detector in detectors]),
        hold=_hold(spec),
        decoding=_decoding(spec),
        embeddings=spec.choice("embeddings", EmbeddingInputs, EmbeddingInputs.BLOCK),
        log_probabilities=spec.choice("log_probabilities", LogProbabilities, LogProbabilities.DROP),
    )


def _rule(entry: Members) -> RedactionRule:
    directions = entry.choices("directions", Direction)
    rule = RedactionRule(
        id=entry.text("id", forms.ID),
        detectors=entry.texts("detectors", forms.ID, at_least=1),
        action=entry.choice("action", RedactionAction, RedactionAction.BLOCK),
        keep_last=entry.integer("keep_last", low=0, high=MOST_KEPT) or 0,
        # In the order of the enumeration, so that one meaning has one form.
        directions=tuple(each for each in Direction if each in directions) or (Direction.ANSWER,),
        fields=entry.choices("fields", FieldClass),
        operations=entry.texts("operations", forms.OPERATION),
        models=entry.texts("models", forms.MODEL),
        subjects=entry.texts("subjects", forms.SUBJECT),
        strictness=entry.choice("strictness", Strictness, Strictness.LENIENT),
        reversible=entry.boolean("reversible") or False,
    )
    _check_options(entry, rule)
    return rule


def _check_options(entry: Members, rule: RedactionRule) -> None:
    """Note options that would change nothing: their author expects something that does not happen."""
    add = entry.notes.add
    if rule.keep_last and rule.action is not RedactionAction.MASK:
        add("option-without-effect", entry.at("keep_last"), f"{rule.action} keeps nothing.", "Only mask does.")
    if rule.reversible and rule.action is not RedactionAction.REPLACE:
        problem = f"What {rule.action} does is never put back."
        add("option-without-effect", entry.at("reversible"), problem, "Only what replace did is.")
    elif rule.reversible and Direction.REQUEST not in rule.directions:
        problem = "What is put back was taken from a request, and the rule is for answers."
        add("option-without-effect", entry.at("reversible"), problem, "Add 'directions: [request]'.")
    if rule.fields and "directions" not in entry and _OF_REQUESTS.issuperset(rule.fields):
        problem = f"The rule is for answers, since it names no direction, and only requests have {rule.fields[0]}."
        add("option-without-effect", entry.at("fields"), problem, "Add 'directions: [request]'.")


def _hold(spec: Members) -> HoldBounds:
    stated, usual = spec.object("hold", known=("max_bytes", "max_ms", "at_bound")), HoldBounds()
    if stated is None:
        return usual
    return HoldBounds(
        max_bytes=stated.integer("max_bytes", low=LEAST_HELD, high=MOST_HELD) or usual.max_bytes,
        max_ms=stated.integer("max_ms", low=LEAST_HELD_MS, high=MOST_HELD_MS),
        at_bound=stated.choice("at_bound", AtBound, usual.at_bound),
    )


def _decoding(spec: Members) -> Decoding:
    stated, usual = spec.object("decoding", known=("depth", "max_bytes", "over_budget")), Decoding()
    if stated is None:
        return usual
    depth = stated.integer("depth", low=0, high=MOST_DEPTH)
    return Decoding(
        depth=usual.depth if depth is None else depth,
        max_bytes=stated.integer("max_bytes", low=LEAST_DECODED, high=MOST_DECODED) or usual.max_bytes,
        over_budget=stated.choice("over_budget", OverBudget, usual.over_budget),
    )
