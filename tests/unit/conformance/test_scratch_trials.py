# SPDX-License-Identifier: Apache-2.0
"""Cases on how policy is made: against a control plane, one that lets everything pass, and one that refuses all."""

import io
import json

import httpx
import pytest

from conformance.case import Target
from conformance.cases import CASES
from conformance.runner import Trial, Verdict
from conformance.scratch import ControlPlane
from conformance.scratch_trials import run_on_control_plane
from tests.control_planes import TOKENS, make_plane, sqlite_url

CHECKED = [case for case in CASES if case.checks]
LETS_PASS = {
    "id": "x",
    "token": "t",
    "admin": {"token": "t"},
    "revision": "sha256:0",
    "environment": "e",
    "serial": 1,
    "items": [],
    "standing": {"approved_by": []},
    "valid": True,
    "warnings": [],
    "diagnostics": [],
    "compiled": True,
    "passed": 1,
    "failed": 0,
    "tests": [{"problem": ""}],
    "findings": [{}],
}


def lets_everything_pass(request):
    path = request.url.path
    found = request.method != "POST" or path.endswith((":validate", ":test", ":withdraw")) or request.url.query
    return httpx.Response(200 if found else 201, json=LETS_PASS)


def refuses_everything_but_tenants(request):
    made = request.url.path in ("/v1/tenants", "/v1/role-bindings")
    return httpx.Response(201, json=LETS_PASS) if made else httpx.Response(403, json={"code": "not-permitted"})


def results(transport, cases=CHECKED, importer=("false",)):
    client = httpx.Client(transport=transport, base_url="http://plane", headers=bearer("operator"))
    plane = None if transport is None else ControlPlane(client, importer)
    target = Target(host="h", port=1, tls=False, key=None, model="m")
    trial = Trial(target=target, timeout_s=1, control_plane=plane)
    return {(result.case.number, row.row): row for result in run_on_control_plane(trial, cases) for row in result.rows}


def bearer(role):
    return {"Authorization": f"Bearer {TOKENS[role]}"}


def passing(told):
    return {name for name, row in told.items() if row.verdict is Verdict.PASS}


def test_the_control_plane_withstands_those_who_make_policy(tmp_path):
    plane = make_plane(sqlite_url(tmp_path))
    told = results(httpx.WSGITransport(app=plane.app), [case for case in CHECKED if case.number != 70])
    assert {name: row.problem for name, row in told.items() if row.verdict is not Verdict.PASS} == {}
    assert plane.call("GET", "/v1/policies", "author").json["items"] == []
    assert [one["id"] for one in plane.call("GET", "/v1/environments", "author").json["items"]] == ["production"]


def test_one_that_lets_everything_pass_fails_in_every_attack():
    assert passing(results(httpx.MockTransport(lets_everything_pass), importer=("true",))) == {
        (65, "sibling: nothing to tell of"),
        (66, "sibling: two others"),
        (70, "sibling: a harmless guard"),
        (70, "sibling: a plain matcher"),
    }


def test_one_that_refuses_everything_withstands_nothing_but_what_it_never_reads():
    told = results(httpx.MockTransport(refuses_everything_but_tenants))
    assert passing(told) == {
        (70, "casbin: eval"),
        (70, "casbin: regexMatch"),
        (70, "casbin: a call of its own"),
    }


def test_a_plane_that_does_not_know_persons_is_told_of(tmp_path):
    plane = make_plane(sqlite_url(tmp_path))
    told = results(
        httpx.WSGITransport(app=blind_to_persons(plane.app)), [case for case in CHECKED if case.number == 66]
    )
    assert set(told) - passing(told) == {
        (66, "an author approves as another principal"),
        (66, "one person as two approvers"),
    }


def blind_to_persons(app):
    """Return `app` where nobody is the same person as another principal."""

    def weakened(environ, start_response):
        if environ["PATH_INFO"] == "/v1/role-bindings" and environ["REQUEST_METHOD"] == "POST":
            body = json.loads(environ["wsgi.input"].read())
            body.pop("person", None)
            content = json.dumps(body).encode()
            environ |= {"wsgi.input": io.BytesIO(content), "CONTENT_LENGTH": str(len(content))}
        return app(environ, start_response)

    return weakened


def test_without_an_operator_all_is_skipped():
    told = results(None)
    assert {row.verdict for row in told.values()} == {Verdict.SKIP}
    assert len(told) == sum(case.count for case in CHECKED)


@pytest.mark.parametrize("answer", [httpx.Response(403, json={"code": "x"}), httpx.Response(201, text="no JSON")])
def test_no_tenant_fails_every_row(answer):
    told = results(httpx.MockTransport(lambda _: httpx.Response(answer.status_code, content=answer.content)))
    assert passing(told) == set()
    assert {row.problem.partition(":")[0] for row in told.values()} == {"no tenant can be had"}
