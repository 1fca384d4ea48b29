# SPDX-License-Identifier: Apache-2.0
"""Rules that another leaves without effect."""

import pytest

from tests.unit.policies.compiler.lints.linting import access, document, found, grant, redaction


@pytest.mark.parametrize(
    ("documents", "want"),
    [
        pytest.param(
            [access(grant("user:x"), grant("*", "*", "*", id="b", effect="deny"))],
            [("shadowed", "some-access", "/spec/grants/0"), ("denies-everything", "some-access", "/spec/grants/1")],
            id="denied-whole",
        ),
        pytest.param(
            [access(grant("user:x"), grant("group:g", id="b", effect="deny"), groups={"g": ["user:x"]})],
            [("shadowed", "some-access", "/spec/grants/0")],
            id="denied-by-its-group",
        ),
        pytest.param(
            [access(grant("user:x", "parrot owl"), grant("*", id="b", effect="deny"))], [], id="denied-in-part"
        ),
        pytest.param(
            [access(grant("user:x")), access(grant("*", id="b", effect="deny"), policy="other")],
            [("shadowed", "some-access", "/spec/grants/0")],
            id="denied-by-another-policy",
        ),
        pytest.param(
            [access(grant("user:x")), access(grant("*", id="b", effect="deny"), policy="other", mode="warn")],
            [],
            id="denied-by-one-that-only-warns",
        ),
        pytest.param(
            [access(grant("user:x"), grant("*", id="b", effect="deny", expires="2027-01-01T00:00:00Z"))],
            [],
            id="denied-for-a-time",
        ),
        pytest.param(
            [access(grant("*", "*"), grant("user:x", id="b"))],
            [("shadowed", "some-access", "/spec/grants/1")],
            id="allowed-before",
        ),
        pytest.param(
            [access(grant("*", "*", expires="2027-01-01T00:00:00Z"), grant("user:x", id="b"))],
            [],
            id="allowed-before-for-a-time",
        ),
        pytest.param([access(grant("user:x"), grant("*", "*", id="b"))], [], id="allowed-after"),
        pytest.param(
            [redaction({}, {"id": "b", "action": "block"})],
            [
                ("shadowed", "some-redaction", "/spec/rules/0"),
                ("overlapping", "some-redaction", "/spec/rules/1/detectors"),
            ],
            id="a-redaction-rule-under-a-severer",
        ),
        pytest.param(
            [redaction({}, {"id": "b", "subjects": ["user:x"]})],
            [("shadowed", "some-redaction", "/spec/rules/1")],
            id="a-redaction-rule-said-twice",
        ),
        pytest.param(
            [redaction({}, {"id": "b", "action": "block", "subjects": ["user:x"]})],
            [("overlapping", "some-redaction", "/spec/rules/1/detectors")],
            id="a-narrower-severer-rule",
        ),
        pytest.param(
            [
                document(
                    "tools",
                    rules=[
                        {"id": "a", "effect": "allow", "subjects": ["user:x"], "tools": ["docs_read"]},
                        {"id": "b", "effect": "deny", "subjects": ["*"], "tools": ["docs_*"]},
                    ],
                )
            ],
            [("shadowed", "some-tools", "/spec/rules/0")],
            id="a-tools-rule",
        ),
        pytest.param(
            [
                document(
                    "tools",
                    rules=[
                        {"id": "a", "effect": "allow", "subjects": ["user:x"], "tools": ["docs_read"]},
                        {
                            "id": "b",
                            "effect": "deny",
                            "subjects": ["*"],
                            "tools": ["docs_*"],
                            "patterns": {"path": "/etc/.*"},
                        },
                    ],
                )
            ],
            [],
            id="a-tools-rule-denied-for-some-arguments",
        ),
    ],
)
def test_what_is_told(documents, want):
    assert found(*documents) == want


def prompts(*rules):
    numbered = [{"id": f"r{number}", "insert": "one", **rule} for number, rule in enumerate(rules)]
    return document("prompts", prompts=[{"name": "one", "text": "You help."}], rules=numbered)


def screening(*rules):
    usual = {"effect": "deny", "phrases": ["ignore all"]}
    return document("screening", rules=[{"id": f"r{number}", **usual, **rule} for number, rule in enumerate(rules)])


def scoring(*rules):
    usual = {"effect": "deny", "threshold": 0.9}
    return document(
        "screening", classifier=[{"id": f"r{number}", **usual, **rule} for number, rule in enumerate(rules)]
    )


C_FIRST, C_SECOND = "/spec/classifier/0", "/spec/classifier/1"


def upstreams(*entries):
    return document("upstreams", upstreams=[{"name": f"u{number}", **entry} for number, entry in enumerate(entries)])


FIRST, SECOND = "/spec/rules/0", "/spec/rules/1"


@pytest.mark.parametrize(
    ("policy", "pointers"),
    [
        pytest.param(prompts({}, {"models": ["owl"]}), [SECOND], id="a-prompts-rule-behind-one-for-all"),
        pytest.param(prompts({"models": ["owl"]}, {}), [], id="a-prompts-rule-before-one-for-all"),
        pytest.param(prompts({"models": ["owl"]}, {"models": ["parrot"]}), [], id="prompts-rules-for-two-models"),
        pytest.param(screening({}, {}), [SECOND], id="a-screening-rule-twice"),
        pytest.param(screening({}, {"phrases": ["IGNORE all"]}), [SECOND], id="twice-in-capitals"),
        pytest.param(screening({"models": ["owl"]}, {}), [FIRST], id="a-screening-rule-before-one-for-all"),
        pytest.param(screening({"phrases": ["ignore all", "obey"]}, {}), [SECOND], id="fewer-phrases"),
        pytest.param(screening({}, {"phrases": ["ignore all", "obey"]}), [FIRST], id="more-phrases-behind-it"),
        pytest.param(screening({}, {"effect": "flag"}), [], id="another-effect"),
        pytest.param(screening({}, {"reason": "prompt-injection"}), [], id="another-reason"),
        pytest.param(screening({"fields": ["user"]}, {"fields": ["system"]}), [], id="other-fields"),
        pytest.param(screening({}, {"fields": ["user"]}), [SECOND], id="fewer-fields"),
        pytest.param(scoring({}, {}), [C_SECOND], id="a-classifier-rule-twice"),
        pytest.param(scoring({"threshold": 0.95}, {}), [C_FIRST], id="a-higher-threshold"),
        pytest.param(scoring({"threshold": 0.95}, {"effect": "flag"}), [], id="a-flag-from-a-lower-one"),
        pytest.param(scoring({}, {"thresholds": {"user": 0.5}}), [C_FIRST], id="lower-for-one-class"),
        pytest.param(scoring({}, {"fields": ["user"]}), [], id="other-classes-are-joined"),
    ],
)
def test_rules_for_texts(policy, pointers):
    assert found(policy) == [("shadowed", policy["id"], pointer) for pointer in pointers]


@pytest.mark.parametrize(
    ("policy", "is_told"),
    [
        pytest.param(upstreams({"models": ["*"]}, {"models": ["owl"]}), True, id="every-model-before"),
        pytest.param(upstreams({"models": ["owl"]}, {"models": ["*"]}), False, id="every-model-behind"),
        pytest.param(
            upstreams({"operations": ["*"]}, {"operations": ["chat.completions"], "models": ["owl"]}),
            True,
            id="every-operation-before",
        ),
        pytest.param(
            upstreams({"models": ["*"]}, {"operations": ["models.list"]}), False, id="every-model-is-not-every-request"
        ),
        pytest.param(
            upstreams({"operations": ["chat.completions"]}, {"models": ["owl"]}), False, id="one-operation-of-two"
        ),
    ],
)
def test_entries_of_upstreams(policy, is_told):
    assert found(policy) == ([("shadowed", policy["id"], "/spec/upstreams/1")] if is_told else [])


def test_an_entry_that_several_take_together_is_told():
    entries = (
        {"models": ["owl"]},
        {"models": ["parrot"]},
        {"operations": ["chat.completions"], "models": ["owl", "parrot"]},
    )
    assert found(upstreams(*entries)) == [("shadowed", "some-upstreams", "/spec/upstreams/2")]
