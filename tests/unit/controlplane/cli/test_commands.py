# SPDX-License-Identifier: Apache-2.0
"""Every subcommand does its job, says it for people and for scripts, and tells failures apart by its exit code."""

import json

import pytest

from controlplane.client import ApiClient
from tests.control_planes import ACCESS
from tests.records import make_record

DONE, REFUSED, WRONG_USAGE, NOTHING_ANSWERS = 0, 1, 2, 3


def shown(result):
    assert result.exit_code == DONE, result.stderr
    return json.loads(result.stdout)


def test_policies_are_applied_and_listed(gatehouse, documents):
    applied = shown(gatehouse("policy", "apply", documents, "--json"))["policies"]
    assert [(item["id"], item["what"]) for item in applied] == [
        ("chat-access", "created"),
        ("openai-routes", "created"),
    ]
    listed = shown(gatehouse("policy", "list", "--json"))["items"]
    assert [item["revision"] for item in listed] == [item["revision"] for item in applied]
    again = shown(gatehouse("policy", "apply", documents, "--json"))["policies"]
    assert {item["what"] for item in again} == {"unchanged"}
    (documents / "access.yaml").write_text(ACCESS.replace('"1"', '"2"'))
    table = gatehouse("policy", "apply", documents / "access.yaml").stdout.splitlines()
    assert table[0].split() == ["POLICY", "WHAT", "REVISION"]
    assert table[1].split()[:2] == ["chat-access", "revised"]


def test_nothing_is_sent_unless_every_document_is_valid(gatehouse, documents):
    (documents / "zz.yaml").write_bytes(b"kind: \xff\n")
    result = gatehouse("policy", "apply", documents)
    assert result.exit_code == REFUSED
    assert "zz.yaml:1:1: not-utf8" in result.stderr
    assert shown(gatehouse("policy", "list", "--json"))["items"] == []


def test_two_documents_of_one_id_are_not_applied(gatehouse, documents):
    (documents / "copy.yaml").write_text(ACCESS)
    result = gatehouse("policy", "apply", documents)
    assert (result.exit_code, "chat-access" in result.stderr) == (WRONG_USAGE, True)


def test_diagnostics_have_their_place_on_one_line(gatehouse, documents):
    wrong = documents / "access.yaml"
    wrong.write_text(ACCESS.replace("effect: allow, subjects", "efect: allow, subjects"))
    result = gatehouse("policy", "validate", documents, COLUMNS="40")
    assert result.exit_code == REFUSED
    assert any(line.startswith(f"{wrong}:8:") and "efect" in line for line in result.stderr.splitlines())
    as_json = gatehouse("policy", "validate", documents, "--json")
    assert as_json.exit_code == REFUSED
    found = json.loads(as_json.stdout)["diagnostics"]
    assert all(item.keys() >= {"code", "file", "line", "column", "pointer", "message", "fix"} for item in found)


def test_policy_tests_run_without_a_server(gatehouse, documents):
    assert gatehouse("policy", "test", documents, "--engine", "embedded").stdout == "1 passed, 0 failed\n"
    (documents / "access.yaml").write_text(
        ACCESS.replace("effect: allow}\n", "effect: deny}\n").replace("bob may chat", '"[/red] bob may not"'),
    )
    failed = gatehouse("policy", "test", documents, "--engine", "embedded")
    assert (failed.exit_code, failed.stdout) == (REFUSED, "0 passed, 1 failed\n")
    assert "failed chat-access: [/red] bob may not: effect is allow" in failed.stderr
    as_json = json.loads(gatehouse("policy", "test", documents, "--engine", "embedded", "--json").stdout)
    assert (as_json["passed"], as_json["failed"][0]["policy"]) == (0, "chat-access")


def test_a_release_is_made_listed_and_activated(gatehouse, documents, under_test):
    gatehouse("policy", "apply", documents)
    made = shown(gatehouse("release", "-m", "the first", "--json"))
    assert gatehouse("release").stdout.splitlines()[1].startswith("Put it to work with: gatehouse activate rel_")
    assert [item["description"] for item in shown(gatehouse("release", "list", "--json"))["items"]] == ["the first", ""]
    waited = gatehouse("activate", made["id"], "--wait", "0", "--json")
    assert (waited.exit_code, json.loads(waited.stdout)["state"]) == (REFUSED, "pending")
    assert "no node has reported" in gatehouse("activate", made["id"], "--wait", "0").stderr
    report(under_test, serial=3)
    done = gatehouse("activate", made["id"], "--wait", "0")
    assert (done.exit_code, done.stdout) == (DONE, f"{made['id']} is enforced as serial 3 by 1 workers\n")


def test_an_activation_that_a_worker_refuses_fails_and_says_why(gatehouse, documents, under_test):
    gatehouse("policy", "apply", documents)
    made = shown(gatehouse("release", "--json"))
    report(under_test, serial=0, error="opa is \x1b[31mgone")
    failed = gatehouse("activate", made["id"], "--wait", "0")
    assert failed.exit_code == REFUSED
    assert "n1/0: serial 0, opa is �[31mgone" in failed.stderr


def test_an_author_cannot_activate(gatehouse, documents):
    gatehouse("policy", "apply", documents)
    made = shown(gatehouse("release", "--json"))
    author = {"GATEHOUSE_API_URL": "http://gatehouse.test", "GATEHOUSE_TOKEN": "ght_author_" + "0" * 32}
    refused = gatehouse("activate", made["id"], "--json", **author)
    assert (refused.exit_code, json.loads(refused.stdout)["code"]) == (REFUSED, "not-permitted")


def test_keys_are_shown_once_listed_and_revoked(gatehouse):
    key = gatehouse("key", "create", "user:carol").stdout.strip()
    assert key.startswith("gh_")
    made = shown(gatehouse("key", "create", "service:ci", "--expires-at", "2027-01-31T00:00:00Z", "--json"))
    listed = gatehouse("key", "list").stdout
    assert key not in listed
    assert "2027-01-31T00:00:00Z" in listed
    assert gatehouse("key", "revoke", made["id"]).stdout == f"{made['id']} is revoked\n"
    assert shown(gatehouse("key", "revoke", made["id"], "--json")) == {"id": made["id"], "revoked": True}
    assert [bool(item["revoked_at"]) for item in shown(gatehouse("key", "list", "--json"))["items"]] == [False, True]


def test_a_key_is_rotated_and_both_are_listed(gatehouse):
    old = shown(gatehouse("key", "create", "user:carol", "--operation", "chat.completions", "--model", "m", "--json"))
    new = shown(gatehouse("key", "rotate", old["id"], "--overlap-s", "60", "--json"))
    assert new["scope"] == {"operations": ["chat.completions"], "models": ["m"]}
    assert gatehouse("key", "rotate", new["id"]).stdout.startswith("gh_")
    rows = gatehouse("key", "list").stdout.splitlines()
    assert [row.split()[-1] for row in rows[1:3]] == [new["id"], rows[3].split()[0]]
    assert all("chat.completions, m" in row for row in rows[1:])


def test_a_subject_is_blocked_listed_and_let_back(gatehouse):
    assert gatehouse("key", "block", "user:carol").stdout == "user:carol is blocked\n"
    assert "user:carol" in gatehouse("key", "blocked").stdout
    assert [item["subject"] for item in shown(gatehouse("key", "blocked", "--json"))["items"]] == ["user:carol"]
    assert shown(gatehouse("key", "unblock", "user:carol", "--json")) == {"subject": "user:carol", "blocked": False}
    assert shown(gatehouse("key", "blocked", "--json"))["items"] == []


def test_keys_and_blocks_are_of_the_environment_that_is_named(gatehouse, under_test):
    assert under_test.call("POST", "/v1/environments", "admin", json={"id": "staging"}).status_code == 201
    there = ("--environment", "staging")
    assert shown(gatehouse("key", "create", "user:carol", *there, "--json"))["environment"] == "staging"
    assert "staging" in gatehouse("key", "list").stdout
    gatehouse("key", "block", "user:carol", *there)
    assert shown(gatehouse("key", "blocked", "--json"))["items"] == []
    assert "user:carol" in gatehouse("key", "blocked", *there).stdout
    gatehouse("key", "unblock", "user:carol", *there)
    assert shown(gatehouse("key", "blocked", *there, "--json"))["items"] == []


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("key", "create", "carol"), "subject-invalid"),
        (("key", "create", "user:carol", "--operation", "Chat"), "body-invalid"),
        (("key", "revoke", "../roles"), "not-found"),
        (("key", "rotate", "none"), "api-key-unknown"),
        (("key", "block", "carol"), "subject-invalid"),
        (("key", "unblock", "user:carol"), "subject-not-blocked"),
        (("activate", "rel_none"), "release-unknown"),
        (("activate", "rel_none", "--environment", "a?b"), "environment-unknown"),
        (("decisions", "query", "--outcome", "maybe"), "query-invalid"),
    ],
)
def test_a_refusal_is_one_for_people_and_for_scripts(gatehouse, arguments, code):
    for_people = gatehouse(*arguments)
    assert (for_people.exit_code, for_people.stdout) == (REFUSED, "")
    assert for_people.stderr.startswith("Error: ")
    for_scripts = gatehouse(*arguments, "--json")
    assert for_scripts.exit_code == REFUSED
    problem = json.loads(for_scripts.stdout)
    assert code in {problem["code"], *(error["code"] for error in problem["errors"])}


def test_decisions_are_found_the_newest_last(gatehouse, under_test):
    under_test.ingest(*(make_record(seq=seq) for seq in (1, 2, 3)))
    items = shown(gatehouse("decisions", "query", "--limit", "2", "--subject", "user:alice", "--json"))["items"]
    assert [item["log_index"] for item in items] == [1, 2]
    lines = gatehouse("decisions", "query").stdout.splitlines()
    assert len(lines) == 4
    assert lines[0].split()[0] == "TIME"
    assert len(gatehouse("decisions", "query", "--model", "another").stdout.splitlines()) == 1


@pytest.mark.parametrize("as_json", [["--json"], []])
def test_a_tail_shows_what_arrives_on_one_line_each_until_ctrl_c(gatehouse, under_test, monkeypatch, as_json):
    under_test.ingest(make_record(seq=1, model="owl"), make_record(seq=2, model="owl", outcome="deny"))
    asked = []

    def follow(client, path, query):
        asked.append((path, query))
        yield from client.every("/v1/decisions")
        raise KeyboardInterrupt

    monkeypatch.setattr(ApiClient, "follow", follow)
    result = gatehouse("decisions", "tail", "--model", "owl", "--min-latency-ms", "0", *as_json)
    assert result.exit_code == DONE
    requests = [json.loads(line)["request_id"] if as_json else line.split()[-1] for line in result.stdout.splitlines()]
    assert requests == ["req_b0_1", "req_b0_2"]
    assert asked == [("/v1/decisions:tail", {"model": ["owl"], "min_latency_ms": 0})]


def test_every_filter_and_a_size_of_the_log_can_be_asked_for(gatehouse, under_test):
    under_test.ingest(make_record(seq=1), make_record(seq=2, kind="admission", request_id="req_open"))
    (item,) = shown(gatehouse("decisions", "query", "--kind", "admission", "--status", "200", "--json"))["items"]
    assert item["request_id"] == "req_open"
    assert shown(gatehouse("decisions", "query", "--has-gap", "true", "--as-of", "1", "--json"))["items"] == []
    assert len(shown(gatehouse("decisions", "query", "--has-gap", "true", "--json"))["items"]) == 1


def test_one_decision_is_shown_as_a_page_that_hides_nothing_and_moves_nothing(gatehouse, under_test):
    under_test.ingest(make_record(seq=1, model="owl\x1b[2J", outcome="deny", reasons=(("access-denied", "p"),)))
    page = gatehouse("decisions", "show", "rec_b0_1").stdout
    assert "- access-denied by policy p: A policy denies this request." in page.splitlines()
    assert "Proof: /v1/audit/records/rec_b0_1/proof" in page
    assert "\x1b" not in page
    assert shown(gatehouse("decisions", "show", "req_b0_1", "--json"))["explanation"]["outcome"] == "deny"
    assert gatehouse("decisions", "show", "nothing/..").exit_code == REFUSED


def test_a_subject_whose_name_was_erased_is_shown_by_its_pseudonym(gatehouse, under_test):
    under_test.ingest(make_record(seq=1))
    assert gatehouse("erase", "subject", "user:alice").exit_code == DONE
    [row] = gatehouse("decisions", "query").stdout.splitlines()[1:]
    assert (" p1:" in row, "user:alice" in row) == (True, False)


def test_decisions_are_counted(gatehouse, under_test):
    under_test.ingest(make_record(seq=1), make_record(seq=2, model="owl", outcome="deny"))
    lines = gatehouse("decisions", "aggregate", "--by", "model", "--bucket", "none").stdout.splitlines()
    assert [line.split()[1:3] for line in lines[1:]] == [["owl", "1"], ["parrot", "1"], ["–", "2"]]
    (item,) = shown(gatehouse("decisions", "aggregate", "--by", "model", "--value", "owl", "--json"))["items"]
    assert (item["value"], item["denied"]) == ("owl", 1)
    assert gatehouse("decisions", "aggregate", "--value", "owl").exit_code == WRONG_USAGE


def report(under_test, *, serial: int, error: str | None = None) -> None:
    worker = {"slot": "0", "pid": 7, "serial": serial, "revision": None, "epoch": 1, "error": error}
    body = {
        "node_id": "n1",
        "environment": "production",
        "version": "1",
        "guard_engine": "embedded",
        "workers": [worker],
    }
    answer = under_test.call("POST", "/v1/agents/n1/status", "agent", json=body)
    assert answer.status_code == 200, answer.text


def test_the_schema_of_a_kind_and_of_all_are_printed(gatehouse):
    assert shown(gatehouse("policy", "schema", "limits"))["properties"]["kind"]["const"] == "limits"
    assert len(shown(gatehouse("policy", "schema"))["oneOf"]) > 1
    assert gatehouse("policy", "schema", "firewall").exit_code == WRONG_USAGE
