# SPDX-License-Identifier: Apache-2.0
"""`gatehouse policy import`."""

import json

import pytest

from policies.document.loader import load_documents
from tests.unit.policies.importing.test_casbin import MODEL, ROWS

DONE, REFUSED, WRONG_USAGE = 0, 1, 2


def test_a_casbin_policy_becomes_a_document(gatehouse, tmp_path):
    (tmp_path / "m.conf").write_text(MODEL)
    (tmp_path / "p.csv").write_text(ROWS)
    files = (tmp_path / "m.conf", tmp_path / "p.csv")
    output = tmp_path / "access.yaml"
    done = gatehouse("policy", "import", "casbin", *files, "--action", "read=chat.completions", "-o", output)
    assert (done.exit_code, done.stdout) == (DONE, f"{output}: 3 grants\n")
    (document,) = load_documents({"a.yaml": output.read_bytes()})
    assert (document.id, [grant.id for grant in document.spec.grants]) == (
        "casbin-import",
        ["line-2", "line-4", "line-5"],
    )
    assert gatehouse("policy", "import", "casbin", *files, "--action", "read=Chat").exit_code == WRONG_USAGE


def test_what_stands_against_it_is_told_by_place(gatehouse, tmp_path):
    (tmp_path / "m.conf").write_text(MODEL)
    (tmp_path / "p.csv").write_text("p, a, b, read, maybe\n")
    files = (tmp_path / "m.conf", tmp_path / "p.csv")
    told = gatehouse("policy", "import", "casbin", *files)
    assert (told.exit_code, "p.csv:1:16: unknown-effect" in told.stderr) == (REFUSED, True)
    as_json = json.loads(gatehouse("policy", "import", "casbin", *files, "--json").stdout)
    assert [each["code"] for each in as_json["diagnostics"]] == ["unknown-effect"]


@pytest.mark.opa
def test_rego_becomes_guards_and_what_cannot_is_told(gatehouse, tmp_path, opa_binary):
    (tmp_path / "good.rego").write_text('package good\n\ndeny contains "no" if input.request.n > 2\n')
    (tmp_path / "bad.rego").write_text('package bad\n\ndeny contains "no" if input.nothing\n')
    told = gatehouse("policy", "import", "rego", tmp_path, "-o", tmp_path / "out", GATEHOUSE_OPA_BINARY=str(opa_binary))
    assert (told.exit_code, told.stdout) == (REFUSED, f"1 guards in {tmp_path / 'out'}, 1 modules refused\n")
    assert "bad.rego:3:23: rego-type-error" in told.stderr
    (document,) = load_documents({"good.yaml": (tmp_path / "out" / "good.yaml").read_bytes()})
    assert document.spec.module.startswith("package gatehouse.guard.good\n")
