# SPDX-License-Identifier: Apache-2.0
"""Cases 65 and 66 against a control plane that has lost one thing at a time: the rows about it fail, and no others."""

import io
import json

import httpx
import pytest

from conformance.cases.making import ALLOWS, DENIES, MAKING_CASES, ROUTES
from conformance.scratch import ControlPlane, Wrong
from tests.control_planes import TOKENS, make_plane, sqlite_url

UNDOING, APPROVING = MAKING_CASES


@pytest.fixture
def app(tmp_path):
    return make_plane(sqlite_url(tmp_path)).app


def failing(app, case):
    transport = httpx.WSGITransport(app=app)
    client = httpx.Client(
        transport=transport, base_url="http://plane", headers={"Authorization": f"Bearer {TOKENS['operator']}"}
    )
    tenant = ControlPlane(client, ()).new_tenant()
    return {check.slug for check in case.checks if fails(check, tenant)}


def fails(check, tenant):
    try:
        check.attack(tenant)
    except Wrong:
        return True
    return False


def asking(app, path_ends, change):
    """Return `app` that reads what `change` makes of the bodies sent to paths that end so."""

    def weakened(environ, start_response):
        if environ["PATH_INFO"].endswith(path_ends) and environ["REQUEST_METHOD"] in ("POST", "PUT"):
            body = json.loads(environ["wsgi.input"].read())
            content = json.dumps(change(body)).encode()
            environ |= {"wsgi.input": io.BytesIO(content), "CONTENT_LENGTH": str(len(content))}
        return app(environ, start_response)

    return weakened


def telling(app, path_ends, change):
    """Return `app` that answers with what `change` makes of the bodies told at paths that end so."""

    def weakened(environ, start_response):
        if not environ["PATH_INFO"].endswith(path_ends) or environ["REQUEST_METHOD"] != "POST":
            return app(environ, start_response)
        begun = []
        told = json.loads(b"".join(app(environ, lambda *head: begun.append(head))))
        content = json.dumps(told | change(told) if isinstance(told, dict) else told).encode()
        status, headers = begun[0][:2]
        kept = [(name, value) for name, value in headers if name.lower() != "content-length"]
        start_response(status, [*kept, ("Content-Length", str(len(content)))])
        return [content]

    return weakened


def answering(app, path_ends, status):
    """Return `app` that answers `status` to paths that end so, and does nothing."""

    def weakened(environ, start_response):
        if not environ["PATH_INFO"].endswith(path_ends):
            return app(environ, start_response)
        start_response(status, [("Content-Type", "application/json")])
        return [b"{}"]

    return weakened


def test_lints_that_are_not_told_are_missed(app):
    quiet = telling(app, (":validate", "/releases"), lambda told: {"warnings": []} if "warnings" in told else {})
    assert failing(quiet, UNDOING) == {
        "told: denies-everything",
        "told: nobody-has-it",
        "told: overlapping",
        "told of a release that is only tried",
    }


def test_lints_that_are_told_of_everything_are_noise(app):
    loud = telling(app, ":validate", lambda _: {"warnings": [{"code": "overlapping"}]})
    assert "sibling: nothing to tell of" in failing(loud, UNDOING)


@pytest.mark.parametrize("passed", [0, 1])
def test_tests_that_end_one_way_whatever_they_expect_show_nothing(passed, app):
    blind = telling(app, ":test", lambda _: {"passed": passed, "failed": 1 - passed})
    assert failing(blind, UNDOING) == {
        "a denial behind an allowance",
        "a denial before an allowance",
        "a denial in another policy",
        "an empty list of those who may",
        "sibling: an allowance alone",
    }


def test_where_an_allowance_overrides_denials_all_of_them_are_missed(app):
    def without_denials(body):
        documents = [
            each | {"source": each["source"].replace("effect: deny, sub", "effect: allow, sub")}
            for each in body["documents"]
        ]
        return body | {"documents": documents}

    assert failing(asking(app, ":test", without_denials), UNDOING) == {
        "a denial behind an allowance",
        "a denial before an allowance",
        "a denial in another policy",
    }


def test_an_activation_by_the_author_alone_is_missed(app):
    assert failing(answering(app, "/activations", "201 Created"), UNDOING) == {"an author alone"}


def test_one_approval_where_two_are_demanded_is_missed(app):
    easy = asking(app, "/rules", lambda body: body | {"approvals_required": 1})
    assert failing(easy, APPROVING) == {
        "an approval of what was edited since",
        "an approval of another environment",
        "one person as two approvers",
        "an approval sent again",
        "an approval that was withdrawn",
    }


def test_an_approval_that_is_bound_to_nothing_is_missed(app):
    def of_anything(body):
        return {"verdict": body["verdict"]} | of_release

    of_release = {}

    def remembers(told):
        of_release.update({name: told[name] for name in ("revision", "environment") if name in told})
        return {}

    loose = telling(asking(app, "/approvals", of_anything), "/releases", remembers)
    assert failing(loose, APPROVING) == {
        "an approval of what was edited since",
        "an approval of another environment",
    }


def test_an_activation_that_may_be_sent_again_is_missed(app):
    def careless(environ, start_response):
        return app(environ | {"HTTP_IF_MATCH": "*"}, start_response)

    assert failing(careless, APPROVING) == {"an activation sent again"}


def test_a_withdrawal_that_does_nothing_is_missed(app):
    assert failing(answering(app, ":withdraw", "200 OK"), APPROVING) == {"an approval that was withdrawn"}


def test_each_case_has_a_sibling_and_no_document_is_of_anybody_else():
    assert all(any(check.slug.startswith("sibling: ") for check in case.checks) for case in MAKING_CASES)
    assert all("\nid: conformance-" in source for source in (ROUTES, ALLOWS, DENIES))
