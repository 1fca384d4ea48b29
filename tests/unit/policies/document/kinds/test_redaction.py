# SPDX-License-Identifier: Apache-2.0
import json

import pytest

from policies.contracts.errors import PolicyRejected
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
from policies.document.loader import load_documents
from policies.document.model import RedactionSpec

RULE = {"id": "a", "detectors": ["email"], "action": "replace"}


def spec_of(**spec) -> RedactionSpec:
    document = {"kind": "redaction", "id": "r", "version": "1", "spec": {"rules": [RULE], **spec}}
    (loaded,) = load_documents({"r.json": json.dumps(document).encode()})
    assert isinstance(loaded.spec, RedactionSpec)
    return loaded.spec


def problems(**spec) -> list[tuple[str, str]]:
    with pytest.raises(PolicyRejected) as rejected:
        spec_of(**spec)
    assert all(each.fix or each.code == "wrong-type" for each in rejected.value.diagnostics)
    return sorted((each.code, each.at.pointer.removeprefix("/spec/")) for each in rejected.value.diagnostics)


def rule_problems(**said) -> list[tuple[str, str]]:
    return [(code, pointer.removeprefix("rules/0/")) for code, pointer in problems(rules=[RULE | said])]


def test_what_is_left_out_has_its_default():
    got = spec_of()
    rule = RedactionRule(id="a", detectors=("email",), action=RedactionAction.REPLACE)
    assert got == RedactionSpec(rules=(rule,))
    assert rule.directions == (Direction.ANSWER,)


def test_every_member_of_a_rule_is_read():
    said = {
        "action": "mask",
        "keep_last": 4,
        "directions": ["answer", "request"],
        "fields": ["user", "tool-arguments"],
        "operations": ["chat.completions"],
        "models": ["*"],
        "subjects": ["group:staff"],
        "strictness": "strict",
    }
    assert spec_of(rules=[RULE | said]).rules == (
        RedactionRule(
            id="a",
            detectors=("email",),
            action=RedactionAction.MASK,
            keep_last=4,
            directions=(Direction.REQUEST, Direction.ANSWER),
            fields=(FieldClass.USER, FieldClass.TOOL_ARGUMENTS),
            operations=("chat.completions",),
            models=("*",),
            subjects=("group:staff",),
            strictness=Strictness.STRICT,
        ),
    )


def test_no_directions_are_answers_too():
    assert spec_of(rules=[RULE | {"directions": []}]).rules[0].directions == (Direction.ANSWER,)


def test_what_was_replaced_in_a_request_may_be_put_back():
    assert spec_of(rules=[RULE | {"reversible": True, "directions": ["request"]}]).rules[0].reversible


def test_selectors_and_terms_are_read():
    got = spec_of(
        operations=["completions"],
        models=["parrot"],
        subjects=["user:alice"],
        hold={"max_bytes": 2048, "max_ms": 100, "at_bound": "redact"},
        decoding={"depth": 0, "max_bytes": 4096, "over_budget": "annotate"},
        embeddings="redact",
        log_probabilities="refuse",
    )
    assert (got.operations, got.models, got.subjects) == (("completions",), ("parrot",), ("user:alice",))
    assert got.hold == HoldBounds(max_bytes=2048, max_ms=100, at_bound=AtBound.REDACT)
    assert got.decoding == Decoding(depth=0, max_bytes=4096, over_budget=OverBudget.ANNOTATE)
    assert (got.embeddings, got.log_probabilities) == (EmbeddingInputs.REDACT, LogProbabilities.REFUSE)


def test_half_of_the_terms_leaves_the_others():
    got = spec_of(hold={"max_ms": 100}, decoding={"depth": 1})
    assert (got.hold, got.decoding) == (HoldBounds(max_ms=100), Decoding(depth=1))


@pytest.mark.parametrize(
    ("said", "want"),
    [
        pytest.param({"action": "shred"}, [("unknown-value", "action")], id="action"),
        pytest.param({"detectors": []}, [("too-few", "detectors")], id="no-detector"),
        pytest.param({"detectors": ["E-mail"]}, [("bad-id", "detectors/0")], id="detector-in-another-case"),
        pytest.param({"directions": ["both"]}, [("unknown-value", "directions/0")], id="direction"),
        pytest.param({"fields": ["footnote"]}, [("unknown-value", "fields/0")], id="field"),
        pytest.param({"subjects": ["alice"]}, [("bad-subject", "subjects/0")], id="subject"),
        pytest.param({"keep_last": 4}, [("option-without-effect", "keep_last")], id="keeping-without-a-mask"),
        pytest.param({"action": "mask", "keep_last": 17}, [("out-of-range", "keep_last")], id="keeping-too-much"),
        pytest.param({"reversible": True}, [("option-without-effect", "reversible")], id="reversible-answers"),
        pytest.param(
            {"reversible": True, "action": "hash", "directions": ["request"]},
            [("option-without-effect", "reversible")],
            id="reversible-hash",
        ),
        pytest.param({"fields": ["user", "system"]}, [("option-without-effect", "fields")], id="fields-of-requests"),
        pytest.param({"strictness": "so-so"}, [("unknown-value", "strictness")], id="strictness"),
        pytest.param({"direction": ["request"]}, [("unknown-member", "rules/0")], id="misspelt"),
        pytest.param(
            {"action": 1, "fields": [2], "reversible": "yes"},
            [("unknown-value", "action"), ("unknown-value", "fields/0"), ("wrong-type", "reversible")],
            id="all-at-once",
        ),
    ],
)
def test_what_is_wrong_with_a_rule_is_told_at_its_place(said, want):
    assert [(code, pointer.removeprefix("/spec/")) for code, pointer in rule_problems(**said)] == want


def test_fields_that_answers_have_too_need_no_direction():
    assert spec_of(rules=[RULE | {"fields": ["user", "assistant-text"]}]).rules[0].fields[0] is FieldClass.USER


@pytest.mark.parametrize(
    ("spec", "want"),
    [
        pytest.param({"rules": []}, [("too-few", "rules")], id="no-rule"),
        pytest.param({"rules": [RULE, RULE]}, [("duplicate-id", "rules/1/id")], id="one-id-twice"),
        pytest.param({"hold": {"max_bytes": 100}}, [("out-of-range", "hold/max_bytes")], id="too-small-a-bound"),
        pytest.param({"hold": {"at_bound": "release"}}, [("unknown-value", "hold/at_bound")], id="release"),
        pytest.param({"decoding": {"depth": 6}}, [("out-of-range", "decoding/depth")], id="too-deep"),
        pytest.param({"decoding": {"over_budget": "pass"}}, [("unknown-value", "decoding/over_budget")], id="pass"),
        pytest.param({"embeddings": "alter"}, [("unknown-value", "embeddings")], id="embeddings"),
        pytest.param({"log_probabilities": True}, [("unknown-value", "log_probabilities")], id="log-probabilities"),
    ],
)
def test_what_is_wrong_with_a_policy_is_told_at_its_place(spec, want):
    assert problems(**spec) == want
