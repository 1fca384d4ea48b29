# SPDX-License-Identifier: Apache-2.0
"""What a check does in its tenant, as a control plane sees it, and what counts as an answer."""

import json
import sys

import httpx
import pytest

from conformance.scratch import ControlPlane, Scratch, Wrong, codes_in, expect

SOURCE = 'kind: access\nid: some-access\nversion: "1"\n'


class Plane:
    """Keeps what it was asked, and answers each with the next of what it was given, then with 201."""

    def __init__(self, *answers):
        self.asked, self.answers = [], list(answers)

    def __call__(self, request):
        self.asked.append(request)
        return self.answers.pop(0) if self.answers else httpx.Response(201, json={"token": "ght_new", "id": "rel_1"})

    def control_plane(self, *importer):
        client = httpx.Client(
            transport=httpx.MockTransport(self), base_url="http://plane", headers={"Authorization": "Bearer operator"}
        )
        return ControlPlane(client, importer)

    def tenant(self):
        return Scratch(plane=self.control_plane(), name="conformance-1", admin="admin")

    def lines(self):
        return [f"{request.method} {request.url.path}" for request in self.asked]

    def bodies(self):
        return [json.loads(request.content) for request in self.asked]

    def tokens(self):
        return [request.headers["authorization"].removeprefix("Bearer ") for request in self.asked]


def importer(script):
    return Plane().control_plane(sys.executable, "-c", script)


def test_each_run_has_a_tenant_that_nobody_had():
    plane = Plane(*(httpx.Response(201, json={"admin": {"token": f"ght_{at}"}}) for at in range(2)))
    first, second = (plane.control_plane().new_tenant() for _ in range(2))
    assert (first.admin, second.admin) == ("ght_0", "ght_1")
    assert plane.bodies() == [{"id": first.name}, {"id": second.name}]
    assert first.name != second.name
    assert first.name.startswith("conformance-")


def test_the_operator_acts_nowhere_but_in_making_the_tenant():
    plane = Plane(httpx.Response(201, json={"admin": {"token": "admin"}}))
    tenant = plane.control_plane().new_tenant()
    author = tenant.somebody("author")
    tenant.ask("GET", "/v1/policies", author)
    assert plane.tokens() == ["operator", "admin", "ght_new"]


def test_principals_have_names_of_their_own_and_a_person_only_where_one_is_given():
    plane = Plane()
    tenant = plane.tenant()
    tenant.somebody("author")
    tenant.somebody("author", person="ann@conformance.example")
    first, second = plane.bodies()
    assert (first["role"], second["role"]) == ("author", "author")
    assert first["name"] != second["name"]
    assert ("person" in first, second["person"]) == (False, "ann@conformance.example")


def test_an_environment_has_the_rules_that_its_check_asks_for():
    plane = Plane(httpx.Response(201), httpx.Response(200))
    name = plane.tenant().environment(approvals_required=2)
    assert plane.lines() == ["POST /v1/environments", f"PUT /v1/environments/{name}/rules"]
    assert plane.bodies() == [{"id": name}, {"untested_needs_reason": False, "approvals_required": 2}]


def test_a_policy_that_is_there_becomes_a_new_revision_of_what_is_there():
    current = httpx.Response(200, headers={"ETag": '"7"'})
    plane = Plane(httpx.Response(409, json={"code": "policy-exists"}), current)
    plane.tenant().keep("author", (SOURCE,))
    path = "/v1/policies/some-access"
    assert plane.lines() == ["POST /v1/policies", f"GET {path}", f"POST {path}/revisions"]
    assert plane.asked[-1].headers["if-match"] == '"7"'
    assert json.loads(plane.asked[-1].content) == {"source": SOURCE}


def test_a_policy_that_is_refused_is_told():
    plane = Plane(httpx.Response(422, json={"code": "policy-invalid"}))
    with pytest.raises(Wrong, match="POST /v1/policies is answered 422 policy-invalid, and not 201"):
        plane.tenant().keep("author", (SOURCE,))


def test_an_approval_is_of_exactly_the_release_but_for_what_is_changed():
    plane = Plane()
    release = {"id": "rel_1", "revision": "sha256:1", "environment": "trial-1"}
    plane.tenant().approve("approver", release, revision="sha256:2")
    assert plane.lines() == ["POST /v1/policy-sets/default/releases/rel_1/approvals"]
    assert plane.bodies() == [{"revision": "sha256:2", "environment": "trial-1", "verdict": "approve"}]


def test_documents_are_tried_and_not_kept():
    plane = Plane(*[httpx.Response(201, json={"token": "author"}), httpx.Response(200, json={"valid": True})] * 2)
    tenant = plane.tenant()
    assert tenant.tried("a: 1", "b: 2") == tenant.validated("c: 3") == {"valid": True}
    assert [line for line in plane.lines() if "role-bindings" not in line] == [
        "POST /v1/policies:test",
        "POST /v1/policies:validate",
    ]
    assert [each["source"] for each in plane.bodies()[1]["documents"]] == ["a: 1", "b: 2"]


def answer(status, **told):
    request = httpx.Request("POST", "http://plane/x")
    return httpx.Response(status, json=told, request=request) if told else httpx.Response(status, request=request)


def test_an_answer_is_what_it_should_be_by_status_and_by_one_of_the_codes():
    assert expect(answer(204), 204) == {}
    assert expect(answer(409, code="b"), 409, "a", "b") == {"code": "b"}


@pytest.mark.parametrize(
    ("given", "wanted", "told"),
    [
        (answer(201), (403,), "POST /x is answered 201 , and not 403"),
        (answer(403, code="not-permitted"), (403, "own-release"), "403 not-permitted, and not 403 own-release"),
        (answer(409), (409, "a", "b"), "and not 409 a or b"),
    ],
)
def test_another_answer_is_told(given, wanted, told):
    with pytest.raises(Wrong, match=told):
        expect(given, *wanted)


def test_codes_are_those_of_all_items():
    assert codes_in([{"code": "a"}, {"code": "b"}, {"code": "a"}]) == {"a", "b"}


def test_the_importer_is_given_the_model_and_its_rows():
    shows = "import sys; print(*(open(name).read() for name in sys.argv[1:3]), *sys.argv[3:])"
    assert importer(shows).imports("MODEL", "ROWS") == "MODEL ROWS --action chat=chat.completions\n"


def test_what_the_importer_refuses_is_no_document():
    assert importer("print('half a document'); raise SystemExit(1)").imports("m", "r") is None


def test_an_importer_that_breaks_down_has_refused_nothing():
    with pytest.raises(Wrong, match="breaks down"):
        importer("raise RuntimeError").imports("m", "r")


def test_an_importer_that_is_not_there_has_refused_nothing(tmp_path):
    with pytest.raises(Wrong, match="does not run: FileNotFoundError"):
        Plane().control_plane(str(tmp_path / "nothing")).imports("m", "r")
