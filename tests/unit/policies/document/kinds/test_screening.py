# SPDX-License-Identifier: Apache-2.0
import pytest

from policies.contracts.errors import PolicyRejected
from policies.contracts.screening import ScreenEffect
from policies.document.loader import load_documents

GOOD = """\
kind: screening
id: screen
version: "1"
spec:
  rules:
    - {id: override, effect: deny, phrases: [ignore that], reason: prompt-injection, fields: [user]}
    - {id: persona, effect: flag, expressions: ["you are (now|really)"]}
"""


ASKING = """\
kind: screening
id: screen
version: "1"
spec:
  classifier:
    - {id: injection, effect: deny, threshold: 0.9, thresholds: {tool-result: 0.55}, fields: [user, tool-result]}
  ask: {deadline_ms: 300}
"""


def problems(source):
    with pytest.raises(PolicyRejected) as caught:
        load_documents({"a.yaml": source.encode()})
    return [(each.code, each.at.line) for each in caught.value.diagnostics]


def test_what_is_left_out_has_its_default():
    [document] = load_documents({"a.yaml": GOOD.encode()})
    first, second = document.spec.rules
    assert (first.effect, first.reason) == (ScreenEffect.DENY, "prompt-injection")
    assert (second.reason, second.phrases, second.fields) == ("prompt-screened", (), ())


@pytest.mark.parametrize(
    ("source", "want"),
    [
        pytest.param(GOOD.replace("phrases: [ignore that], ", ""), ("screens-nothing", 6), id="nothing-looked-for"),
        pytest.param(GOOD.replace("effect: flag", "effect: flag, reason: no"), ("ambiguous-scalar", 7), id="a-bare-no"),
        pytest.param(
            GOOD.replace("effect: flag", "effect: flag, reason: found"),
            ("option-without-effect", 7),
            id="a-flag-with-reason",
        ),
        pytest.param(GOOD.replace("[ignore that]", "[no]"), ("ambiguous-scalar", 6), id="a-phrase-without-quotes"),
        pytest.param(GOOD.replace("[ignore that]", "[ab]"), ("bad-phrase", 6), id="a-short-phrase"),
        pytest.param(GOOD.replace("[ignore that]", "[]"), ("too-few", 6), id="no-phrase"),
        pytest.param(GOOD.replace("id: persona", "id: override"), ("duplicate-id", 7), id="two-of-one-id"),
        pytest.param(GOOD.replace("effect: deny", "effect: block"), ("unknown-value", 6), id="an-unknown-effect"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(source, want):
    assert problems(source) == [want]


def test_what_is_left_out_of_a_classifier_rule_has_its_default():
    [document] = load_documents({"a.yaml": ASKING.encode()})
    [rule], ask = document.spec.classifier, document.spec.ask
    assert (rule.threshold_bp, dict(rule.thresholds_bp), rule.reason) == (
        9000,
        {"tool-result": 5500},
        "prompt-injection",
    )
    assert (ask.deadline_ms, ask.when_absent, ask.when_incomplete) == (300, "deny", "deny")
    assert document.spec.rules == ()


@pytest.mark.parametrize(
    ("threshold", "want"),
    [("1", 10_000), ("0.12345", 1234), ("9.5e-1", 9500), ("0.0001", 1), ("1.0", 10_000)],
)
def test_a_threshold_is_a_share(threshold, want):
    [document] = load_documents({"a.yaml": ASKING.replace("threshold: 0.9", f"threshold: {threshold}").encode()})
    assert document.spec.classifier[0].threshold_bp == want


@pytest.mark.parametrize(
    ("source", "want"),
    [
        pytest.param(ASKING.replace("0.9,", "0,"), ("out-of-range", 6), id="a-threshold-that-finds-all"),
        pytest.param(ASKING.replace("0.9,", "1.01,"), ("out-of-range", 6), id="a-threshold-that-finds-nothing"),
        pytest.param(ASKING.replace("0.9,", "1e-999999,"), ("out-of-range", 6), id="one-of-a-million-digits"),
        pytest.param(ASKING.replace("0.9,", '"0.9",'), ("wrong-type", 6), id="a-text"),
        pytest.param(ASKING.replace("0.9,", "true,"), ("wrong-type", 6), id="a-boolean"),
        pytest.param(ASKING.replace("tool-result: 0.55", "tool: 0.5"), ("unknown-member", 6), id="an-unknown-class"),
        pytest.param(
            ASKING.replace("{tool-result: 0.55}", "{system: 0.5}"), ("option-without-effect", 6), id="not-in-fields"
        ),
        pytest.param(
            ASKING.replace("{tool-", "{user: 0.9, tool-"), ("option-without-effect", 6), id="no-class-left-for-it"
        ),
        pytest.param(ASKING.replace("threshold: 0.9, ", ""), ("member-missing", 6), id="a-class-without-a-threshold"),
        pytest.param(
            ASKING.replace(
                "threshold: 0.9, thresholds: {tool-result: 0.55}, fields: [user, tool-result]", "fields: []"
            ),
            ("member-missing", 6),
            id="no-threshold",
        ),
        pytest.param(ASKING.replace("300", "5"), ("out-of-range", 7), id="no-time-to-answer"),
        pytest.param(ASKING.replace("deadline_ms: 300", "when_absent: maybe"), ("unknown-value", 7), id="maybe"),
        pytest.param(GOOD + "  ask: {deadline_ms: 300}\n", ("option-without-effect", 8), id="nobody-is-asked"),
        pytest.param(
            GOOD + "  classifier: [{id: persona, effect: flag, threshold: 0.5}]\n",
            ("duplicate-id", 8),
            id="two-of-one-id-in-both-lists",
        ),
        pytest.param(
            GOOD + f"  classifier: [{', '.join(f'{{id: r{n}, effect: flag, threshold: 0.5}}' for n in range(17))}]\n",
            ("too-many", 8),
            id="more-rules-than-questions",
        ),
    ],
)
def test_what_is_wrong_with_a_classifier_rule_is_said_with_its_place(source, want):
    assert problems(source) == [want]
