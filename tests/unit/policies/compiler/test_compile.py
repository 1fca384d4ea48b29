# SPDX-License-Identifier: Apache-2.0
import random

import pytest

from policies.compiler.compile import check_files, compile_files, compile_redactions, compile_release
from policies.contracts.errors import PolicyRejected
from policies.document.loader import load_documents
from policies.library import pack

DEMO = {**pack("baseline"), **pack("demo")}
LOGIN = b"""\
kind: identity
id: login
version: "1"
spec:
  issuers:
    - id: corp
      issuer: https://login.example.com
      audiences: [gatehouse]
      algorithms: [RS256]
      jwks: discovery
      groups: {claim: groups, names: {/ml/staff: corp-staff, /ml/leads: corp-staff}}
"""
TEST_OF_GROUPS = b"""\
tests:
  - name: a member that the access policy would have to list
    request: {subject: user:eve, groups: [staff], operation: models.list}
    expect: {effect: allow}
"""
SCOPE = {"tenant": "default", "environment": "production"}


def codes(files, *, opa_binary=None, **more) -> set[str]:
    with pytest.raises(PolicyRejected) as caught:
        compile_release(load_documents(files), opa_binary=opa_binary, **SCOPE, **more)
    return {each.code for each in caught.value.diagnostics}


def guard(module: str) -> dict[str, bytes]:
    rows = "".join(f"    {row}\n" for row in module.splitlines())
    document = (
        f'kind: guard\nid: my-guard\nversion: "1"\nspec:\n  reasons: {{too-much: Too much.}}\n  module: |\n{rows}'
    )
    return {**DEMO, "my-guard.yaml": document.encode()}


@pytest.fixture(params=["opa", "embedded"])
def rego(request):
    return str(request.getfixturevalue("opa_binary")) if request.param == "opa" else None


def test_the_order_of_documents_does_not_matter(rego):
    documents = list(load_documents(DEMO))
    want = compile_release(documents, opa_binary=rego, **SCOPE)
    random.shuffle(documents)
    assert compile_release(documents, opa_binary=rego, **SCOPE).revision == want.revision


@pytest.mark.parametrize(
    ("files", "want"),
    [
        pytest.param({"b.yaml": DEMO["model-access.yaml"]}, {"duplicate-id", "duplicate-group"}, id="a-document-twice"),
        pytest.param({"model-access.yaml": None}, {"no-access-policy"}, id="no-access-policy"),
        pytest.param({"openai-routes.yaml": None}, {"no-route"}, id="no-route"),
        pytest.param(
            {"model-access.yaml": DEMO["model-access.yaml"].replace(b"kind: access", b"kind: access\nmode: observe")},
            {"no-access-policy"},
            id="access-that-only-observes",
        ),
        pytest.param(
            {"standard-limits.yaml": DEMO["standard-limits.yaml"].replace(b'"*"', b'"group:nobody"')},
            {"unknown-group"},
            id="a-group-nobody-defines",
        ),
        pytest.param(
            {"answer-redaction.yaml": DEMO["answer-redaction.yaml"].replace(b"[email]", b"[e-mail]")},
            {"unknown-detector"},
            id="an-unknown-detector",
        ),
        pytest.param(
            {"b.yaml": DEMO["openai-routes.yaml"].replace(b"id: openai-routes", b"id: more-routes")},
            {"duplicate-route"},
            id="a-route-twice",
        ),
        pytest.param(
            {"request-caps.yaml": DEMO["request-caps.yaml"].replace(b"tool-not-permitted", b"access-denied")},
            {"reason-taken"},
            id="a-reason-of-our-own",
        ),
        pytest.param(
            {"login.yaml": LOGIN.replace(b"corp-staff", b"staff")}, {"duplicate-group"}, id="a-group-with-two-owners"
        ),
        pytest.param(
            {"a.yaml": LOGIN, "b.yaml": LOGIN.replace(b"id: login", b"id: b")},
            {"duplicate-group", "duplicate-issuer"},
            id="an-issuer-twice",
        ),
        pytest.param(
            {"login.yaml": LOGIN + TEST_OF_GROUPS}, {"unknown-group"}, id="a-test-with-a-group-no-token-names"
        ),
    ],
)
def test_refuses_what_does_not_go_together(files, want):
    changed = {name: raw for name, raw in {**DEMO, **files}.items() if raw is not None}
    assert want == codes(changed)


def test_a_grant_may_name_a_group_of_an_issuer():
    access = DEMO["model-access.yaml"].replace(b'"group:staff"], models', b'"group:corp-staff"], models')
    assert access != DEMO["model-access.yaml"]
    files = {**DEMO, "model-access.yaml": access}
    assert codes(files) == {"unknown-group"}
    snapshot = compile_release(load_documents({**files, "login.yaml": LOGIN}), opa_binary=None, **SCOPE)
    assert snapshot.identity[0].issuers[0].groups.names == {"/ml/staff": "corp-staff", "/ml/leads": "corp-staff"}


@pytest.mark.parametrize(
    ("module", "want_opa", "want_embedded"),
    [
        pytest.param("package gatehouse.guard.other\nallow if true", "wrong-package", "wrong-package", id="package"),
        pytest.param("package gatehouse.guard.my_guard\nallow if {", "rego-parse-error", "rego-refused", id="syntax"),
        pytest.param(
            'package gatehouse.guard.my_guard\nallow if http.send({"url": "x", "method": "GET"}).status == 200',
            "builtin-forbidden",
            "rego-refused",
            id="http-send",
        ),
        pytest.param(
            "package gatehouse.guard.my_guard\nallow if data.gatehouse.guard_data.request_caps.x",
            "foreign-data",
            "foreign-data",
            id="data-of-another-guard",
        ),
        pytest.param(
            "package gatehouse.guard.my_guard\nallow if data[input.x].y", "foreign-data", "foreign-data", id="any-data"
        ),
        pytest.param(
            'package gatehouse.guard.my_guard\ndeny := "too-much" if input.x',
            "rule-form",
            "rule-form",
            id="deny-as-text",
        ),
        pytest.param(
            "package gatehouse.guard.my_guard\nx := 1", "guard-decides-nothing", "guard-decides-nothing", id="nothing"
        ),
        pytest.param(
            'package gatehouse.guard.my_guard\ndeny contains "other" if input.x',
            "reason-undeclared",
            None,
            id="a-reason",
        ),
    ],
)
def test_refuses_rego_that_a_guard_may_not_have(module, want_opa, want_embedded, rego):
    want = want_opa if rego else want_embedded
    if want is None:  # the embedded engine gives no syntax tree; the reader of answers refuses it at request time
        compile_release(load_documents(guard(module)), opa_binary=rego, **SCOPE)
    else:
        assert want in codes(guard(module), opa_binary=rego)


@pytest.mark.parametrize(
    "check",
    [
        pytest.param(check_files, id="validation"),
        pytest.param(lambda files, **rego: compile_files(files, **rego, **SCOPE), id="release"),
    ],
)
def test_a_file_that_does_not_parse_hides_nothing_of_the_others(check, rego):
    module = "package gatehouse.guard.my_guard\n\nallow if {\n  undefined_thing(1)\n}"
    files = guard(module)
    files |= {"a.yaml": b"kind: [", "z.yaml": b"- not a policy", "login.yaml": LOGIN.replace(b"RS256", b"none")}
    with pytest.raises(PolicyRejected) as caught:
        check(files, opa_binary=rego)
    found = [each.at.file for each in caught.value.diagnostics]
    assert list(dict.fromkeys(found)) == ["a.yaml", "login.yaml", "my-guard.yaml", "z.yaml"]
    assert {"rego-refused", "rego-type-error"} & {each.code for each in caught.value.diagnostics}


def test_what_holds_between_documents_is_not_judged_while_one_cannot_be_read():
    broken = {"a.yaml": b"kind: [", "lone.yaml": b'kind: tests\nid: t\nversion: "1"\nspec: {for: a}\n' + TEST_OF_GROUPS}
    with pytest.raises(PolicyRejected) as caught:
        compile_files(broken, opa_binary=None, **SCOPE)
    assert {each.at.file for each in caught.value.diagnostics} == {"a.yaml"}


def test_a_rego_error_stands_at_its_place_in_the_document(opa_binary):
    module = "package gatehouse.guard.my_guard\n\nallow if {\n  undefined_thing(1)\n}"
    with pytest.raises(PolicyRejected) as caught:
        compile_release(load_documents(guard(module)), opa_binary=str(opa_binary), **SCOPE)
    at = caught.value.diagnostics[0].at
    assert (at.file, at.line, at.column, at.pointer) == ("my-guard.yaml", 10, 7, "/spec/module")


def test_what_only_opa_has_is_refused_where_the_node_runs_embedded(opa_binary):
    module = 'package gatehouse.guard.my_guard\nallow if net.cidr_contains("10.0.0.0/8", input.subject.id)'
    compile_release(load_documents(guard(module)), opa_binary=str(opa_binary), **SCOPE)
    assert codes(guard(module), opa_binary=str(opa_binary), engines={"opa", "embedded"}) == {"rego-refused"}


def test_an_opa_that_cannot_be_run_lets_nothing_pass():
    assert codes(DEMO, opa_binary="/nowhere/opa") == {"rego-unchecked"}


def test_redaction_policies_are_compiled_without_a_release():
    documents = load_documents(DEMO)
    want = compile_release(documents, opa_binary=None, engines={"embedded"}, **SCOPE).redactions
    assert want
    assert compile_redactions(documents[::-1]) == want
    with pytest.raises(PolicyRejected) as caught:
        compile_redactions(documents, detectors=())
    assert {each.code for each in caught.value.diagnostics} == {"unknown-detector"}
