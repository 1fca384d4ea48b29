# SPDX-License-Identifier: Apache-2.0
"""Lints and coverage on the command line."""

import json

from tests.control_planes import ACCESS

DONE, REFUSED = 0, 1
WIDE = ACCESS.replace("[group:staff]", '[group:staff, "*"]')


def test_lints_warn_and_fail_where_that_is_asked_for(gatehouse, documents):
    assert gatehouse("policy", "lint", documents, "--strict").exit_code == DONE
    (documents / "access.yaml").write_text(WIDE)
    told = gatehouse("policy", "lint", documents)
    assert (told.exit_code, told.stdout) == (DONE, "1 warnings in 2 documents\n")
    assert "access.yaml:8:49 (/spec/grants/0/subjects): wider-than-its-group: " in told.stderr
    for command in ("lint", "validate"):
        engine = ["--engine", "embedded"] if command == "validate" else []
        assert gatehouse("policy", command, documents, *engine, "--strict").exit_code == REFUSED
        as_json = json.loads(gatehouse("policy", command, documents, *engine, "--json").stdout)
        assert [each["code"] for each in as_json["warnings"]] == ["wider-than-its-group"]


def test_the_api_tells_the_same_lints(gatehouse, documents, under_test):
    (documents / "access.yaml").write_text(WIDE)
    sent = [{"filename": str(file), "source": file.read_text()} for file in documents.glob("*.y*ml")]
    answer = under_test.call("POST", "/v1/policies:validate", "author", json={"documents": sent})
    printed = json.loads(gatehouse("policy", "lint", documents, "--json").stdout)
    assert answer.json["warnings"] == printed["warnings"]


def test_a_file_that_does_not_parse_hides_nothing_of_the_others(gatehouse, documents):
    (documents / "broken.yaml").write_text("kind: [")
    (documents / "caps.yaml").write_text(
        'kind: guard\nid: caps\nversion: "1"\nspec: {reasons: {x: X.}, module: "package wrong"}\n'
    )
    told = gatehouse("policy", "validate", documents, "--engine", "embedded", "--json")
    found = json.loads(told.stdout)["diagnostics"]
    assert (told.exit_code, [each["file"].rpartition("/")[2] for each in found][:2]) == (
        REFUSED,
        ["broken.yaml", "caps.yaml"],
    )


def test_coverage_names_the_rules_that_no_test_tried(gatehouse, documents):
    grant = (
        "    - {id: b, effect: deny, subjects: [user:eve], models: [parrot], operations: [chat.completions]}\ntests:"
    )
    (documents / "access.yaml").write_text(ACCESS.replace("tests:", grant))
    told = gatehouse("policy", "test", documents, "--engine", "embedded", "--coverage")
    assert told.stdout.splitlines() == [
        "1 passed, 0 failed",
        "2 of 3 rules covered",
        "uncovered chat-access: b (/spec/grants/1)",
    ]
    as_json = json.loads(gatehouse("policy", "test", documents, "--engine", "embedded", "--coverage", "--json").stdout)
    assert [each["rule"] for each in as_json["coverage"]["uncovered"]] == ["b"]
