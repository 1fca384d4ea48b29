# SPDX-License-Identifier: Apache-2.0
import pytest

from policies.compiler.compile import check_documents, compile_release
from policies.contracts.decision import Effect
from policies.contracts.errors import Diagnostic, PolicyRejected
from policies.contracts.tools import OnRefusal, ToolRule
from policies.document.loader import load_documents
from policies.library import pack

RULE = 'id: a, effect: allow, subjects: ["*"], tools: [search]'
SCOPE = {"tenant": "default", "environment": "production"}
GUARD = """\
kind: guard
id: my-guard
version: "1"
spec:
  {more}reasons: {{not-that: Not that.}}
  module: |
    package gatehouse.guard.my_guard

    {rule}
"""


def document(*rules: str, more: str = "") -> dict[str, bytes]:
    rows = "".join(f"    - {{{rule}}}\n" for rule in rules)
    listed = f"  rules:\n{rows}" if rows else "  rules: []\n"
    return {"t.yaml": f'kind: tools\nid: t\nversion: "1"\nspec:\n{more}{listed}'.encode()}


def diagnostics(files: dict[str, bytes]) -> list[Diagnostic]:
    with pytest.raises(PolicyRejected) as caught:
        check_documents(load_documents(files), opa_binary=None)
    return list(caught.value.diagnostics)


def test_a_rule_is_read_and_what_is_left_out_selects_all():
    (loaded,) = load_documents(document(RULE))
    assert loaded.spec.on_refusal is OnRefusal.REMOVE
    assert loaded.spec.rules == (ToolRule(id="a", effect=Effect.ALLOW, subjects=("*",), tools=("search",)),)


def test_a_policy_may_allow_nothing():
    (loaded,) = load_documents(document(more="  on_refusal: cut\n"))
    assert (loaded.spec.on_refusal, loaded.spec.rules) == (OnRefusal.CUT, ())


@pytest.mark.parametrize(
    ("rules", "code", "pointer"),
    [
        pytest.param((RULE, RULE), "duplicate-id", "/spec/rules/1/id", id="an id twice"),
        pytest.param((RULE.replace("search", '"se*rch"'),), "bad-tool", "/spec/rules/0/tools/0", id="a star within"),
        pytest.param((RULE.replace("search", '"a b"'),), "bad-tool", "/spec/rules/0/tools/0", id="a blank"),
        pytest.param((RULE.replace("[search]", "[]"),), "too-few", "/spec/rules/0/tools", id="no tool"),
        pytest.param((RULE.replace("allow", "ask"),), "unknown-value", "/spec/rules/0/effect", id="another effect"),
        pytest.param((RULE + ", arguments: []",), "wrong-type", "/spec/rules/0/arguments", id="no schema"),
        pytest.param((RULE + ", unless: x",), "unknown-member", "/spec/rules/0", id="an unknown member"),
        pytest.param(
            (RULE + ", arguments: {properties: {a: {type: text}}}",),
            "bad-schema",
            "/spec/rules/0/arguments/properties/a/type",
            id="a type that there is not",
        ),
        pytest.param(
            (RULE + ', patterns: {a: "(?=x)"}',), "bad-pattern", "/spec/rules/0/patterns/a", id="a pattern that looks ahead"
        ),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_with_its_place(rules, code, pointer):
    assert (code, pointer) in {(each.code, each.at.pointer) for each in diagnostics(document(*rules))}


def test_a_group_that_nobody_defines_is_told():
    files = {**pack("baseline"), **pack("demo"), **document(RULE.replace('"*"', '"group:nobody"'))}
    with pytest.raises(PolicyRejected) as caught:
        compile_release(load_documents(files), opa_binary=None, **SCOPE)
    assert [(each.code, each.at.pointer) for each in caught.value.diagnostics] == [
        ("unknown-group", "/spec/rules/0/subjects/0")
    ]


@pytest.fixture(params=["opa", "embedded"])
def rego(request):
    return str(request.getfixturevalue("opa_binary")) if request.param == "opa" else None


SAYS = 'deny_call contains {"index": 0, "reason": "not-that"} if input.tool_calls[0].name == "x"'


@pytest.mark.parametrize(
    ("rule", "more", "want"),
    [
        pytest.param(SAYS, "", OnRefusal.REMOVE, id="by default"),
        pytest.param(SAYS, "on_refusal: cut\n  ", OnRefusal.CUT, id="as stated"),
        pytest.param('deny contains "not-that" if input.request.n > 1', "", None, id="not asked"),
    ],
)
def test_a_guard_is_asked_about_calls_where_it_has_a_rule_for_them(rego, rule, more, want):
    files = {**pack("baseline"), **pack("demo"), "g.yaml": GUARD.format(rule=rule, more=more).encode()}
    snapshot = compile_release(load_documents(files), opa_binary=rego, **SCOPE)
    assert {guard.id: guard.calls for guard in snapshot.guards}["my-guard"] is want


def test_a_rule_about_calls_is_a_set(rego):
    files = {"g.yaml": GUARD.format(rule="deny_call := {1}", more="").encode()}
    with pytest.raises(PolicyRejected) as caught:
        check_documents(load_documents(files), opa_binary=rego)
    assert "rule-form" in {each.code for each in caught.value.diagnostics}
