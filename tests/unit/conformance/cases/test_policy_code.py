# SPDX-License-Identifier: Apache-2.0
"""Case 70: what the real checks say of each guard and pattern, and what a control plane could say to get it wrong."""

import json
import threading

import httpx
import pytest

from conformance.cases import policy_code
from conformance.cases.policy_code import CODE_CASES
from conformance.scratch import ControlPlane, Scratch, Wrong
from tests.control_planes import TOKENS, make_plane, sqlite_url

(CASE,) = CODE_CASES
CHECKS = {check.slug: check for check in CASE.checks}
PATTERNS = [slug for slug in CHECKS if slug.startswith("pattern: ")]
MATCHERS = [slug for slug in CHECKS if slug.startswith("casbin: ")]
GUARDS = [
    slug for slug in CHECKS if slug not in {*PATTERNS, *MATCHERS, "a guard that never ends"} and "sibling" not in slug
]
FAILED = {"compiled": True, "passed": 0, "tests": [{"problem": "denied: evaluation-failed"}]}


@pytest.fixture(scope="module")
def real(tmp_path_factory):
    app = make_plane(sqlite_url(tmp_path_factory.mktemp("plane"))).app
    operator = {"Authorization": f"Bearer {TOKENS['operator']}"}
    client = httpx.Client(transport=httpx.WSGITransport(app=app), base_url="http://plane", headers=operator)
    return ControlPlane(client, ()).new_tenant()


def tenant(*, of_documents=None, of_others=200, importer=("false",)):
    """Return a tenant whose documents are all answered so, and whose other requests have that status."""

    def answer(request):
        if ":" in request.url.path:
            return of_documents(request) if callable(of_documents) else httpx.Response(200, json=of_documents)
        return httpx.Response(201 if request.method == "POST" else of_others, json={"token": "ght_new"})

    client = httpx.Client(transport=httpx.MockTransport(answer), base_url="http://plane")
    return Scratch(plane=ControlPlane(client, importer), name="conformance-1", admin="admin")


@pytest.mark.parametrize("slug", [*GUARDS, "sibling: a harmless guard"])
def test_the_check_of_guards_says_of_each_what_the_row_expects(slug, real):
    CHECKS[slug].attack(real)


@pytest.mark.parametrize("slug", GUARDS)
def test_a_guard_that_is_taken_or_refused_for_another_reason_is_told(slug):
    with pytest.raises(Wrong, match="held for a policy"):
        CHECKS[slug].attack(tenant(of_documents={"valid": True, "diagnostics": []}))
    misspelt = {"valid": False, "diagnostics": [{"code": "yaml-invalid"}]}
    with pytest.raises(Wrong, match="for something else"):
        CHECKS[slug].attack(tenant(of_documents=misspelt))


def test_a_harmless_guard_that_is_refused_is_told():
    with pytest.raises(Wrong, match="that reads its input is refused"):
        CHECKS["sibling: a harmless guard"].attack(tenant(of_documents={"valid": False}))


def test_a_guard_that_never_ends_is_to_end_as_a_failure():
    CHECKS["a guard that never ends"].attack(tenant(of_documents=FAILED))


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"compiled": False}, "make no release"),
        ({"passed": 1}, "not refused for that"),
        ({"tests": [{"problem": "denied: no-grant"}]}, "not refused for that"),
    ],
)
def test_a_guard_that_ends_in_another_way_is_told(change, problem):
    with pytest.raises(Wrong, match=problem):
        CHECKS["a guard that never ends"].attack(tenant(of_documents=FAILED | change))


def test_others_who_are_not_answered_meanwhile_are_told_of():
    with pytest.raises(Wrong, match="GET /v1/role-bindings is answered 503"):
        CHECKS["a guard that never ends"].attack(tenant(of_documents=FAILED, of_others=503))


def test_what_does_not_end_is_given_up(monkeypatch):
    monkeypatch.setattr(policy_code, "_ENDS_WITHIN_S", 0.2)
    let_go = threading.Event()

    def hangs(_):
        let_go.wait(60)
        return httpx.Response(200, json=FAILED)

    try:
        with pytest.raises(Wrong, match="has not ended after"):
            CHECKS["a guard that never ends"].attack(tenant(of_documents=hangs))
    finally:
        let_go.set()


@pytest.mark.parametrize("slug", PATTERNS)
def test_the_engine_of_patterns_ends_and_finds_nothing(slug, real):
    CHECKS[slug].attack(real)


@pytest.mark.parametrize("slug", PATTERNS)
def test_a_pattern_that_is_refused_or_finds_what_is_not_there_is_told(slug):
    with pytest.raises(Wrong, match="finds what is not there"):
        CHECKS[slug].attack(tenant(of_documents={"findings": [{}]}))
    with pytest.raises(Wrong, match="answered 422"):
        CHECKS[slug].attack(tenant(of_documents=lambda _: httpx.Response(422, json={"code": "policy-invalid"})))


@pytest.mark.parametrize("slug", PATTERNS)
def test_a_pattern_is_tried_on_a_text_that_it_nearly_finds(slug):
    sent = []

    def keeps(request):
        sent.append(json.loads(request.content))
        return httpx.Response(200, json={"findings": []})

    CHECKS[slug].attack(tenant(of_documents=keeps))
    (body,) = sent
    assert body["text"].startswith("aaa")
    assert "b" not in body["text"]
    assert len(body["text"]) > 50_000


@pytest.mark.parametrize("slug", MATCHERS)
def test_a_matcher_that_is_imported_is_told(slug):
    CHECKS[slug].attack(tenant(importer=("false",)))
    with pytest.raises(Wrong, match="is imported"):
        CHECKS[slug].attack(tenant(importer=("true",)))


def test_a_plain_matcher_is_to_be_imported_as_a_policy():
    plain = CHECKS["sibling: a plain matcher"]
    plain.attack(tenant(of_documents={"valid": True}, importer=("true",)))
    for refuses in (tenant(importer=("false",)), tenant(of_documents={"valid": False}, importer=("true",))):
        with pytest.raises(Wrong, match="no more than a policy can"):
            plain.attack(refuses)
