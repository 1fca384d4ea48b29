# SPDX-License-Identifier: Apache-2.0
import json
from dataclasses import fields, replace

import pytest

from policies.contracts.codec import digest
from policies.contracts.decision import Mode
from policies.contracts.members import plain
from policies.contracts.redaction import (
    SEVERITY,
    AtBound,
    CustomDetector,
    CustomPattern,
    Decoding,
    Direction,
    EmbeddingInputs,
    FieldClass,
    HoldBounds,
    LiteralList,
    LogProbabilities,
    OverBudget,
    RedactionAction,
    RedactionPolicy,
    RedactionRule,
    Strictness,
)

FIRST_FORM = RedactionPolicy(
    id="answer-redaction",
    version="1",
    mode=Mode.ENFORCE,
    operations=(),
    models=("parrot",),
    rules=(RedactionRule(id="card", detectors=("payment-card",), action=RedactionAction.REPLACE),),
)
FULL = replace(
    FIRST_FORM,
    rules=(
        RedactionRule(
            id="card",
            detectors=("payment-card", "all"),
            action=RedactionAction.MASK,
            keep_last=4,
            directions=(Direction.REQUEST, Direction.ANSWER),
            fields=(FieldClass.USER, FieldClass.TOOL_ARGUMENTS),
            subjects=("group:staff",),
            models=("parrot",),
            operations=("chat.completions",),
            strictness=Strictness.STRICT,
            reversible=True,
        ),
    ),
    subjects=("user:alice",),
    detectors=(
        CustomDetector(
            id="badge",
            kind="BADGE",
            patterns=(CustomPattern(expression=r"B-\d{6}", alone="", ignore_case=True),),
            validator="luhn",
            context=("badge",),
            needs_context=True,
            score_percent=60,
        ),
    ),
    literals=(
        LiteralList(id="canaries", kind="CANARY", values=("marzipan",), alone="", ignore_case=True, disguised=True),
    ),
    hold=HoldBounds(max_bytes=4096, max_ms=250, at_bound=AtBound.REDACT),
    decoding=Decoding(depth=1, max_bytes=65536, over_budget=OverBudget.ANNOTATE),
    embeddings=EmbeddingInputs.REDACT,
    log_probabilities=LogProbabilities.REFUSE,
)


def read_back(written: RedactionPolicy) -> RedactionPolicy:
    return RedactionPolicy.from_json(json.loads(json.dumps(plain(written))))


@pytest.mark.parametrize("policy", [FIRST_FORM, FULL], ids=["defaults", "every-member"])
def test_json_reads_back_as_the_policy(policy: RedactionPolicy):
    assert read_back(policy) == policy


def test_every_member_of_the_fullest_policy_differs_from_its_default():
    """So that reading back tries every member there is."""
    for value in (FULL, *FULL.rules, *FULL.detectors, *FULL.detectors[0].patterns, *FULL.literals, FULL.hold):
        added = [item for item in fields(value) if "added" in item.metadata]
        assert [item.name for item in added if getattr(value, item.name) == item.default] == []


def test_a_policy_that_was_compiled_before_keeps_its_bytes():
    assert digest(plain(FIRST_FORM)) == "sha256:9bb629c445cc5859e445019a20e956975349405d07bc3a55549e4119f673ce4c"


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("mode",), "maybe"),
        (("rules", 0, "action"), "shred"),
        (("rules", 0, "directions"), ["sideways"]),
        (("rules", 0, "fields"), ["footnote"]),
        (("rules", 0, "strictness"), "so-so"),
        (("rules", 0, "marzipan"), 1),
        (("detectors", 0, "marzipan"), 1),
        (("detectors", 0, "patterns", 0, "until"), "x"),
        (("literals", 0, "marzipan"), 1),
        (("hold", "at_bound"), "release"),
        (("hold", "marzipan"), 1),
        (("decoding", "over_budget"), "ignore"),
        (("embeddings",), "maybe"),
        (("log_probabilities",), "keep"),
    ],
)
def test_what_is_not_known_is_refused(place, value):
    raw = json.loads(json.dumps(plain(FULL)))
    target = raw
    for step in place[:-1]:
        target = target[step]
    target[place[-1]] = value
    with pytest.raises(ValueError, match=r"has members|is not a valid"):
        RedactionPolicy.from_json(raw)


def test_a_rule_that_names_no_direction_is_for_answers():
    assert FIRST_FORM.rules[0].directions == (Direction.ANSWER,)


def test_to_block_is_the_severest_and_to_annotate_the_mildest():
    ranked = sorted(RedactionAction, key=SEVERITY.__getitem__, reverse=True)
    assert ranked == list(RedactionAction)
    assert (ranked[0], ranked[-1]) == (RedactionAction.BLOCK, RedactionAction.ANNOTATE)
