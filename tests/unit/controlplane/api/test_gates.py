# SPDX-License-Identifier: Apache-2.0
"""From staging to production: what was enforced there, with evidence that the log bears out."""

import copy

import pytest

from controlplane.services.gate_reports import ALWAYS_RUN, SUITE_CASES
from tests.control_planes import ACCESS, ROUTES, make_plane, sqlite_url
from tests.records import make_record

RELEASES = "/v1/policy-sets/default/releases"
DENIED = """\
  - name: mallory may not
    canary: true
    request: {subject: user:mallory, operation: chat.completions, model: parrot}
    expect: {effect: deny}
  - name: alice may
    canary: true
    request: {subject: user:alice, operation: chat.completions, model: parrot}
    expect: {effect: allow}
"""


@pytest.fixture
def under_test(tmp_path):
    """Staging and production, of which the latter takes only what the former had."""
    made = make_plane(sqlite_url(tmp_path))
    with made.store.write() as session:
        session.environments.ensure("default", "staging")
    for source in (ACCESS + DENIED, ROUTES):
        assert made.call("POST", "/v1/policies", "author", json={"source": source}).status_code == 201
    demand(made)
    return made


def demand(under_test, **rules):
    path, body = "/v1/environments/production/rules", {"promote_from": "staging"} | rules
    assert under_test.call("PUT", path, "admin", json=body, headers={"If-Match": "*"}).status_code == 200


def release(under_test, environment="staging"):
    made = under_test.call("POST", RELEASES, "author", json={"environment": environment})
    assert made.status_code == 201, made.text
    return made.json


def activate(under_test, made, environment="staging"):
    body = {"release": made["id"], "environment": environment}
    return under_test.call("POST", "/v1/activations", "approver", json=body, headers={"If-Match": "*"})


def enforce(under_test, serial, environment="staging"):
    """Let every worker of the environment say that it enforces `serial`."""
    worker = {"slot": "w0", "pid": 1, "serial": serial, "revision": None, "epoch": 1, "error": None}
    body = {"node_id": "s1", "environment": environment, "version": "1", "guard_engine": "opa", "workers": [worker]}
    assert under_test.call("POST", "/v1/agents/s1/status", "agent", json=body).status_code == 200


def enforced(under_test):
    made = release(under_test)
    answer = activate(under_test, made)
    assert answer.status_code == 201, answer.text
    enforce(under_test, answer.json["serial"])
    return made


def promote(under_test, made, role="author", environment="production"):
    body = {"environment": environment}
    return under_test.call("POST", f"{RELEASES}/{made['id']}:promote", role, json=body)


def logged(under_test, seq, *, status=200, outcome="allow", environment="staging", serial=1, **members):
    http = {"method": "POST", "route": "chat", "status": status, "bytes_in": 1, "bytes_out": 1, "stream": False}
    record = make_record(seq=seq, outcome=outcome, environment=environment, serial=serial, http=http, **members)
    assert under_test.ingest(record).status_code == 200
    return {"request_id": f"req_b0_{seq}", "status": status}


def asked(under_test):
    """Let staging decide the release's requests rightly, and return the report of it."""
    refused = logged(under_test, 1, status=403, outcome="deny", subject="user:mallory")
    passed = logged(under_test, 2, subject="user:alice")
    names = ("mallory may not", "alice may")
    told = [{"policy": "chat-access", "name": n} | each for n, each in zip(names, (refused, passed), strict=True)]
    return {"requests": told}


def suite(under_test):
    """Return a report of the suite, of whose first case staging's log has the request."""
    answer = logged(under_test, 3, status=400, outcome="error_deny", serial=None, revision=None)
    cases = [
        {
            "case": number,
            "verdict": "pass" if number in ALWAYS_RUN else "skip",
            "rows": [{"row": "one", "verdict": "pass", "answers": [answer]}] if number == 1 else [],
        }
        for number in sorted(SUITE_CASES)
    ]
    rows = {"pass": 1, "fail": 0, "skip": 0}
    return {"gateway": "gatehouse", "upstream_watched": True, "rows": rows, "cases": cases}


def give(under_test, made, kind, report, role="approver"):
    body = {"kind": kind, "report": report}
    return under_test.call("POST", f"{RELEASES}/{made['id']}/evidence", role, json=body)


def test_a_release_is_promoted_with_the_same_pins_and_says_from_where(under_test):
    made = enforced(under_test)
    promoted = promote(under_test, made)
    assert promoted.status_code == 201, promoted.text
    assert promoted.json["policies"] == made["policies"]
    assert (promoted.json["environment"], promoted.json["promoted_from"]) == ("production", made["id"])
    assert promoted.json["revision"] != made["revision"]
    assert activate(under_test, promoted.json, "production").status_code == 201
    same = promote(under_test, made, environment="staging")
    assert (same.status_code, same.json["code"]) == (409, "environment-same")


def test_what_staging_never_had_does_not_go_live(under_test):
    direct = release(under_test, "production")
    answer = activate(under_test, direct, "production")
    assert (answer.status_code, answer.json["code"]) == (409, "promotion-required")
    made = release(under_test)
    assert activate(under_test, made).status_code == 201
    pending = activate(under_test, promote(under_test, made).json, "production")
    assert pending.json["code"] == "promotion-required"
    enforce(under_test, 1)
    assert activate(under_test, direct, "production").status_code == 201


def test_an_edit_after_staging_is_another_release(under_test):
    enforced(under_test)
    etag = under_test.call("GET", "/v1/policies/chat-access", "author").headers["ETag"]
    source = (ACCESS + DENIED).replace('version: "1"', 'version: "2"')
    path = "/v1/policies/chat-access/revisions"
    assert (
        under_test.call("POST", path, "author", json={"source": source}, headers={"If-Match": etag}).status_code == 201
    )
    answer = activate(under_test, release(under_test, "production"), "production")
    assert (answer.status_code, answer.json["code"]) == (409, "promotion-required")


def test_gates_are_passed_with_evidence_that_is_kept(under_test):
    demand(under_test, gate_suite=True, gate_must_refuse=True)
    made = enforced(under_test)
    promoted = promote(under_test, made).json
    closed = activate(under_test, promoted, "production")
    assert (closed.status_code, closed.json["code"]) == (409, "gate-missing")
    assert [error["code"] for error in closed.json["errors"]] == ["suite", "must-refuse"]
    refusals = give(under_test, made, "must-refuse", asked(under_test))
    assert refusals.status_code == 201, refusals.text
    assert (refusals.json["decisions"], refusals.json["environment"]) == (2, "staging")
    half = activate(under_test, promoted, "production")
    assert [error["code"] for error in half.json["errors"]] == ["suite"]
    assert give(under_test, made, "suite", suite(under_test)).status_code == 201
    listed = under_test.call("GET", f"{RELEASES}/{made['id']}/evidence", "auditor").json["items"]
    assert [item["kind"] for item in listed] == ["must-refuse", "suite"]
    assert listed[1]["summary"]["skipped"] == sorted(SUITE_CASES - ALWAYS_RUN)
    events = under_test.call("GET", "/v1/admin-events", "auditor").json["items"]
    assert [event["detail"]["gate"] for event in events if event["action"] == "gate_passed"] == ["must-refuse", "suite"]
    assert activate(under_test, promoted, "production").status_code == 201


def test_the_requests_of_a_release_are_its_canaries(under_test):
    made = release(under_test)
    trials = under_test.call("GET", f"{RELEASES}/{made['id']}/trials", "approver").json
    assert [(item["subject"], item["effect"]) for item in trials["items"]] == [
        ("user:mallory", "deny"),
        ("user:alice", "allow"),
    ]
    assert (trials["items"][0]["method"], trials["items"][0]["path"]) == ("POST", "/v1/chat/completions")
    assert trials["items"][0]["body"]["model"] == "parrot"
    assert trials["unsendable"] == []


def test_nobody_gives_evidence_for_what_they_wrote(under_test):
    made = enforced(under_test)
    answer = give(under_test, made, "must-refuse", asked(under_test), role="author")
    assert (answer.status_code, answer.json["code"]) == (403, "own-release")


@pytest.mark.parametrize(
    ("forge", "code"),
    [
        pytest.param(lambda report: report["requests"].pop(), "request-missing", id="a request left out"),
        pytest.param(
            lambda report: report["requests"].append(report["requests"][0]), "request-unknown", id="a request twice"
        ),
        pytest.param(lambda report: report["requests"][0].pop("status"), "report-unreadable", id="no status"),
        pytest.param(lambda report: report.clear(), "report-unreadable", id="nothing"),
    ],
)
def test_a_report_of_other_requests_is_refused(under_test, forge, code):
    made, report = enforced(under_test), asked(under_test)
    forge(report)
    answer = give(under_test, made, "must-refuse", report)
    assert (answer.status_code, answer.json["code"]) == (400, "gate-not-passed")
    assert code in [error["code"] for error in answer.json["errors"]]


@pytest.mark.parametrize(
    ("members", "code"),
    [
        pytest.param(None, "evidence-not-logged", id="a request that the log has not"),
        pytest.param({"kind": "admission"}, "evidence-not-logged", id="a request that has not ended"),
        pytest.param({"environment": "production"}, "evidence-of-another-release", id="another environment"),
        pytest.param({"serial": 7}, "evidence-of-another-release", id="another release"),
        pytest.param({"serial": None}, "evidence-of-another-release", id="allowed by no release"),
        pytest.param({"subject": "user:bob"}, "evidence-differs", id="another subject"),
        pytest.param({"model": "owl"}, "evidence-differs", id="another model"),
        pytest.param({"action": "embeddings"}, "evidence-differs", id="another operation"),
        pytest.param({"status": 201}, "evidence-differs", id="another status"),
        pytest.param({"outcome": "deny"}, "evidence-differs", id="the opposite outcome"),
    ],
)
def test_what_the_log_does_not_bear_out_is_no_evidence(under_test, members, code):
    made, report = enforced(under_test), asked(under_test)
    if members is None:
        report["requests"][1]["request_id"] = "req_nobody"
    else:
        report["requests"][1] |= {"request_id": logged(under_test, 9, **members)["request_id"], "status": 200}
    answer = give(under_test, made, "must-refuse", report)
    assert (answer.status_code, answer.json["code"]) == (409, code)
    assert under_test.call("GET", f"{RELEASES}/{made['id']}/evidence", "auditor").json["items"] == []


def test_a_refusal_that_failed_is_no_refusal_by_policy(under_test):
    made, report = enforced(under_test), asked(under_test)
    failed = logged(under_test, 9, status=403, outcome="error_deny", subject="user:mallory")
    report["requests"][0] |= failed
    assert give(under_test, made, "must-refuse", report).json["code"] == "evidence-differs"


def engines(*outcomes, mode="enforce"):
    answers = [{"policy": "p", "mode": mode, "outcome": outcome, "reasons": []} for outcome in outcomes]
    return [{"engine": "casbin", "duration_us": 1, "provenance": None, "answers": answers}]


def refused_by_its_upstream(under_test, **members):
    members = {"reasons": (("upstream-refused", ""),), "engines": engines("allow", "not_applicable")} | members
    return logged(under_test, 9, status=400, outcome="error_deny", **members)


def test_what_policy_allowed_and_the_upstream_failed_passes_and_is_told(under_test):
    made, report = enforced(under_test), asked(under_test)
    report["requests"][1] |= refused_by_its_upstream(under_test)
    given = give(under_test, made, "must-refuse", report)
    assert given.status_code == 201, given.text
    assert given.json["summary"] == {
        "requests": 2,
        "unsendable": [],
        "not_asked": [],
        "upstream_failed": ["chat-access: alice may (upstream-refused)"],
    }


@pytest.mark.parametrize(
    "members",
    [
        pytest.param({"engines": []}, id="no engine was asked"),
        pytest.param({"engines": engines("allow", "deny")}, id="an engine refused it"),
        pytest.param({"engines": engines("allow", "error")}, id="an engine failed"),
        pytest.param({"engines": engines("not_applicable")}, id="no policy allowed it"),
        pytest.param({"engines": engines("allow", mode="observe")}, id="a policy allowed it that decides nothing"),
        pytest.param({"reasons": ()}, id="no reason"),
        pytest.param({"reasons": (("upstream-refused", ""), ("policy-unavailable", ""))}, id="another reason, too"),
    ],
)
def test_what_policy_did_not_allow_does_not_pass_because_an_upstream_failed(under_test, members):
    made, report = enforced(under_test), asked(under_test)
    report["requests"][1] |= refused_by_its_upstream(under_test, **members)
    assert give(under_test, made, "must-refuse", report).json["code"] == "evidence-differs"


def test_what_must_be_refused_is_not_refused_by_an_upstream(under_test):
    made, report = enforced(under_test), asked(under_test)
    report["requests"][0] |= refused_by_its_upstream(under_test, subject="user:mallory")
    assert give(under_test, made, "must-refuse", report).json["code"] == "evidence-differs"


NOBODY = """\
  - name: nobody may
    canary: true
    request: {subject: user:nobody, operation: chat.completions, model: parrot}
    expect: {effect: deny}
"""


def revise(under_test, source):
    etag = under_test.call("GET", "/v1/policies/chat-access", "author").headers["ETag"]
    path, headers = "/v1/policies/chat-access/revisions", {"If-Match": etag}
    source = source.replace('version: "1"', 'version: "2"')
    assert under_test.call("POST", path, "author", json={"source": source}, headers=headers).status_code == 201


def test_a_subject_without_a_key_is_left_out_and_the_evidence_says_so(under_test):
    revise(under_test, ACCESS + DENIED + NOBODY)
    made, report = enforced(under_test), asked(under_test)
    assert give(under_test, made, "must-refuse", report).json["errors"][0]["code"] == "request-missing"
    report["not_asked"] = ["user:nobody"]
    given = give(under_test, made, "must-refuse", report)
    assert given.status_code == 201, given.text
    assert given.json["summary"]["not_asked"] == ["chat-access: nobody may"]
    body = {"subject": "user:nobody", "environment": "staging"}
    assert under_test.call("POST", "/v1/api-keys", "admin", json=body).status_code == 201
    answer = give(under_test, made, "must-refuse", report)
    assert (answer.status_code, answer.json["code"]) == (409, "evidence-differs")
    assert [error["code"] for error in answer.json["errors"]] == ["has-a-key"]


@pytest.mark.parametrize(
    ("subject", "at"),
    [
        pytest.param("user:alice", 1, id="what must pass"),
        pytest.param("user:mallory", 0, id="all that must be refused"),
    ],
)
def test_not_everything_can_be_left_out(under_test, subject, at):
    made, report = enforced(under_test), asked(under_test)
    del report["requests"][at]
    report["not_asked"] = [subject]
    answer = give(under_test, made, "must-refuse", report)
    assert [error["code"] for error in answer.json["errors"]] == ["request-missing"]


def _case(report, number):
    return report["cases"][number - 1]


@pytest.mark.parametrize(
    ("forge", "code"),
    [
        pytest.param(lambda report: report["cases"].pop(), "case-missing", id="a case left out"),
        pytest.param(lambda report: _case(report, 1).update(verdict="fail"), "case-failed", id="a case that failed"),
        pytest.param(
            lambda report: _case(report, 1)["rows"][0].update(verdict="fail"), "case-failed", id="a row that failed"
        ),
        pytest.param(lambda report: _case(report, 2).update(verdict="skip"), "case-skipped", id="a case not run"),
        pytest.param(
            lambda report: report["cases"].append(copy.deepcopy(report["cases"][0])), "case-twice", id="a case twice"
        ),
        pytest.param(lambda report: report.update(gateway="other"), "other-gateway", id="another gateway"),
        pytest.param(lambda report: _case(report, 1)["rows"].clear(), "report-unreadable", id="no request named"),
        pytest.param(lambda report: report.update(cases=3), "report-unreadable", id="no cases"),
        pytest.param(lambda report: report["cases"].append([]), "report-unreadable", id="a case that is none"),
    ],
)
def test_a_suite_that_was_not_run_in_full_or_not_passed_opens_nothing(under_test, forge, code):
    made, report = enforced(under_test), suite(under_test)
    forge(report)
    answer = give(under_test, made, "suite", report)
    assert (answer.status_code, answer.json["code"]) == (400, "gate-not-passed")
    assert code in [error["code"] for error in answer.json["errors"]]


def test_a_suite_run_against_another_environment_is_no_evidence(under_test):
    made, report = enforced(under_test), suite(under_test)
    elsewhere = logged(under_test, 9, status=400, outcome="error_deny", serial=None, environment="production")
    _case(report, 1)["rows"][0]["answers"] = [elsewhere]
    assert give(under_test, made, "suite", report).json["code"] == "evidence-of-another-release"
