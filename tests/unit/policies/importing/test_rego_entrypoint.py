# SPDX-License-Identifier: Apache-2.0
"""One rule as what a guard says: allowed where it is true, denied where it is anything else."""

import json
import subprocess

import pytest

from policies.importing.rego import import_rego
from policies.importing.rego_entrypoint import NOT_TRUE, Entrypoint

AUTHZ = """package example.authz

import rego.v1

default permitted := false

permitted if input.subject.id == "root"

odd := input.request.n

set_of contains 1
"""


def imported(opa_binary, entrypoint: str, *modules: str, prefix: str = ""):
    files = {f"{number}.rego": text for number, text in enumerate(modules)}
    return import_rego(files, opa_binary=str(opa_binary), entrypoint=Entrypoint.read(entrypoint), prefix=prefix)


def said(opa_binary, tmp_path, document, request):
    """What OPA gives for `allow` and `deny` of a guard."""
    (tmp_path / "guard.rego").write_text(document["spec"]["module"])
    query = f"data.gatehouse.guard.{document['id'].replace('-', '_')}"
    command = [opa_binary, "eval", "--data", tmp_path / "guard.rego", "--stdin-input", query]
    done = subprocess.run(command, input=json.dumps(request), capture_output=True, text=True, check=True, timeout=30)
    value = json.loads(done.stdout)["result"][0]["expressions"][0]["value"]
    return value.get("allow") is True, value.get("deny", [])


@pytest.mark.parametrize("text", ["allow", "a/", "/a/b", "a b/c", "data.a.b", "a/b\n", "a/é", ""])
def test_an_entrypoint_is_a_package_and_a_rule(text):
    with pytest.raises(ValueError, match="PACKAGE/RULE"):
        Entrypoint.read(text)


@pytest.mark.opa
@pytest.mark.parametrize(
    ("rule", "request_", "want"),
    [
        ("permitted", {"subject": {"id": "root"}}, (True, [])),
        ("permitted", {"subject": {"id": "eve"}}, (False, [NOT_TRUE])),
        ("permitted", {}, (False, [NOT_TRUE])),
    ],
)
def test_the_guard_says_what_the_rule_says(rule, request_, want, opa_binary, tmp_path):
    for name in (rule, "allow"):  # a rule that is called as guards call theirs is not put in twice
        found = imported(opa_binary, f"example/authz/{name}", AUTHZ.replace("permitted", name), prefix="corp")
        assert found.problems == ()
        (document,) = found.documents.values()
        assert document["id"] == "corp-example-authz"
        assert document["spec"]["reasons"] == {NOT_TRUE: f"data.example.authz.{name} is not true."}
        assert said(opa_binary, tmp_path, document, request_) == want


@pytest.mark.opa
def test_other_packages_are_passed_over(opa_binary):
    found = imported(opa_binary, "example/authz/permitted", AUTHZ, "package lib\n\nf(x) := x\n")
    assert (list(found.documents), found.passed_over, found.problems) == (["example-authz"], ("1.rego",), ())


@pytest.mark.opa
def test_a_set_of_denials_is_asked_as_it_is(opa_binary):
    module = 'package caps\n\ndeny contains "too-many" if input.request.n > 2\n'
    (document,) = imported(opa_binary, "caps/deny", module).documents.values()
    assert document["spec"] == {
        "reasons": {"too-many": "A guard denies this request: too-many."},
        "module": module.replace("caps", "gatehouse.guard.caps"),
    }


@pytest.mark.opa
@pytest.mark.parametrize(
    ("entrypoint", "module", "want"),
    [
        pytest.param("example/authz/none", AUTHZ, ("entrypoint-missing", 1), id="no-such-rule"),
        pytest.param("example/authz/odd", AUTHZ, ("entrypoint-not-boolean", 9), id="a-number"),
        pytest.param("example/authz/set_of", AUTHZ, ("entrypoint-not-boolean", 11), id="a-set"),
        pytest.param(
            "example/authz/permitted", AUTHZ + "\nallow if 1 == 1\n", ("rule-name-taken", 13), id="an-allow-beside-it"
        ),
        pytest.param(
            "example/authz/allow",
            AUTHZ.replace("permitted", "allow") + '\ndeny contains "x" if 1 == 1\n',
            ("rule-name-taken", 13),
            id="a-deny-beside-it",
        ),
        pytest.param("other/allow", AUTHZ, ("entrypoint-missing", 1), id="no-such-package"),
        pytest.param("example/authz/permitted", AUTHZ + "\nbroken { 1 }", ("rego-parse-error", 13), id="no-rego"),
        pytest.param(
            "example/authz/permitted",
            'package example["authz"]\n\nx := `\npackage lib\n`\n',
            ("wrong-package", 1),
            id="a-package-that-may-be-the-one",
        ),
    ],
)
def test_what_cannot_be_asked_is_refused(entrypoint, module, want, opa_binary):
    found = imported(opa_binary, entrypoint, module)
    assert found.documents == {}
    assert want in {(each.code, each.at.line) for each in found.problems}
