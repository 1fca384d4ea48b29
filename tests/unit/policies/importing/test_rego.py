# SPDX-License-Identifier: Apache-2.0
"""Rego of others as guards: verbatim but for the package, or refused with its place."""

import json

import pytest

from policies.compiler.compile import compile_release
from policies.document.loader import load_documents
from policies.importing.rego import import_rego
from policies.library import pack

pytestmark = pytest.mark.opa
GOOD = """# What requests may ask for.
package corp.request_caps

deny contains "too-many" if input.request.n > 2

allow if input.subject.id == "root"
"""


def imported(opa_binary, **modules):
    return import_rego({f"{name}.rego": text for name, text in modules.items()}, opa_binary=str(opa_binary))


def test_a_module_becomes_a_guard_of_a_release(opa_binary):
    found = imported(opa_binary, caps=GOOD, caps_test="package corp.request_caps_test\n\ntest_a := 1\n")
    assert found.problems == ()
    document = found.documents["corp-request-caps"]
    assert document["spec"]["module"] == GOOD.replace("corp.request_caps", "gatehouse.guard.corp_request_caps")
    assert list(document["spec"]["reasons"]) == ["too-many"]
    files = {**pack("baseline"), **pack("demo"), "caps.json": json.dumps(document).encode()}
    assert compile_release(load_documents(files), tenant="t", environment="e", opa_binary=str(opa_binary))


@pytest.mark.parametrize(
    ("changed", "want"),
    [
        pytest.param(("input.request.n", "input.user.n"), ("rego-type-error", 4), id="a-field-that-input-has-not"),
        pytest.param(('"too-many" if', "msg if"), ("reason-not-literal", 4), id="a-reason-that-is-computed"),
        pytest.param(('"too-many"', '"Too many!"'), ("reason-not-importable", 4), id="a-reason-that-is-a-sentence"),
        pytest.param(('"too-many"', '"access-denied"'), ("reason-not-importable", 4), id="a-reason-of-ours"),
        pytest.param(("input.request.n > 2", "data.corp.caps"), ("foreign-data", 4), id="data-of-others"),
        pytest.param(
            ("input.request.n > 2", 'http.send({"url": "http://a"})'), ("builtin-forbidden", 4), id="a-reach-outside"
        ),
        pytest.param(('deny contains "too-many" if', "deny[msg]"), ("rego-parse-error", 4), id="rego-of-old"),
        pytest.param(
            ("package corp.request_caps", 'package corp["Caps"]'), ("wrong-package", 1), id="a-package-without-id"
        ),
    ],
)
def test_what_a_guard_cannot_be_is_refused_and_the_rest_imported(changed, want, opa_binary):
    found = imported(opa_binary, wrong=GOOD.replace(*changed), good=GOOD.replace("request_caps", "more"))
    assert list(found.documents) == ["corp-more"]
    assert want in {(each.code, each.at.line) for each in found.problems}
    assert {each.at.file for each in found.problems} == {"wrong.rego"}


def test_two_modules_of_one_name_are_refused(opa_binary):
    found = imported(opa_binary, a=GOOD, b=GOOD)
    assert (found.documents, {each.code for each in found.problems}) == ({}, {"duplicate-id"})
