# SPDX-License-Identifier: Apache-2.0
"""`gatehouse policy import`."""

import json
import subprocess

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
def test_rego_becomes_guards_or_all_that_stands_against_it_is_told(gatehouse, tmp_path, opa_binary):
    (tmp_path / "good.rego").write_text('package good\n\ndeny contains "no" if input.request.n > 2\n')
    (tmp_path / "bad.rego").write_text('package bad\n\ndeny contains "no" if input.nothing\n')
    out = tmp_path / "out"
    told = gatehouse("policy", "import", "rego", tmp_path, "-o", out, GATEHOUSE_OPA_BINARY=str(opa_binary))
    assert (told.exit_code, told.stdout, out.exists()) == (REFUSED, "nothing is written: 1 refused\n", False)
    assert "bad.rego:3:23: rego-type-error" in told.stderr
    (tmp_path / "bad.rego").unlink()
    done = gatehouse("policy", "import", "rego", tmp_path, "-o", out, GATEHOUSE_OPA_BINARY=str(opa_binary))
    assert (done.exit_code, done.stdout) == (DONE, f"1 guards in {out}\n")
    (document,) = load_documents({"good.yaml": (out / "good.yaml").read_bytes()})
    assert document.spec.module.startswith("package gatehouse.guard.good\n")


def opa_build(opa_binary, folder, *options):
    packed = folder / "bundle.tar.gz"
    (folder / "src").mkdir(exist_ok=True)
    (folder / "src" / "authz.rego").write_text('package example.authz\n\nok if input.subject.id == "root"\n')
    (folder / "src" / "lib.rego").write_text("package lib\n\none := 1\n")
    command = [opa_binary, "build", *options, "--bundle", "src", "--output", packed]
    subprocess.run(command, cwd=folder, check=True, timeout=30)
    return packed


@pytest.mark.opa
def test_a_bundle_becomes_a_guard_and_its_signature_is_not_verified(gatehouse, tmp_path, opa_binary):
    out = tmp_path / "out"
    command = ("policy", "import", "rego", opa_build(opa_binary, tmp_path), "--entrypoint", "example/authz/ok")
    command = (*command, "--prefix", "corp", "-o", out)
    done = gatehouse(*command, GATEHOUSE_OPA_BINARY=str(opa_binary))
    assert (done.exit_code, done.stdout) == (DONE, f"1 guards in {out}, 1 modules passed over\n")
    assert "it is not signed" in done.stderr
    assert load_documents({"a.yaml": (out / "corp-example-authz.yaml").read_bytes()})
    opa_build(opa_binary, tmp_path, "--signing-alg", "HS256", "--signing-key", "secret")
    assert "its signature was not verified" in gatehouse(*command, GATEHOUSE_OPA_BINARY=str(opa_binary)).stderr
    told = json.loads(gatehouse(*command, "--json", GATEHOUSE_OPA_BINARY=str(opa_binary)).stdout)
    assert told["imported"] == ["corp-example-authz"]
    assert [(each["signed"], each["signature_verified"]) for each in told["bundles"]] == [(True, False)]


@pytest.mark.opa
def test_what_is_wrong_with_bundles_is_told_with_the_rest(gatehouse, tmp_path, opa_binary):
    (tmp_path / "bad.tar.gz").write_bytes(b"\x1f\x8bx")
    (tmp_path / "bad.rego").write_text("nothing\n")
    command = ("policy", "import", "rego", tmp_path / "bad.tar.gz", tmp_path / "bad.rego", "-o", tmp_path / "out")
    told = gatehouse(*command, GATEHOUSE_OPA_BINARY=str(opa_binary))
    assert (told.exit_code, told.stdout) == (REFUSED, "nothing is written: 2 refused\n")
    assert ("bundle-unreadable" in told.stderr, "wrong-package" in told.stderr) == (True, True)
    for wrong in (("--entrypoint", "allow"), ("--prefix", "A B")):
        assert gatehouse(*command, *wrong, GATEHOUSE_OPA_BINARY=str(opa_binary)).exit_code == WRONG_USAGE
