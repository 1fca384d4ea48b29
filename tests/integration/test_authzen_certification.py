# SPDX-License-Identifier: Apache-2.0
"""What the OpenID certification of AuthZEN 1.0 asks of a decision point: its levels Basic, Batch and Discovery.

The cases are those of the published scenario, told by what each is about.
"""

import httpx
import pytest

from controlplane.services.rego_engines import GuardEngineName, RegoEngines
from tests.control_planes import WITHOUT_OPA, make_plane, sqlite_url
from tests.evaluations import RECORDS, URL, enforcement_point, put_to_work, question

ONE, MANY = "/access/v1/evaluation", "/access/v1/evaluations"
ALICE, BOB = {"type": "user", "id": "alice"}, {"type": "user", "id": "bob"}
READ, WRITE = {"name": "read"}, {"name": "write"}
RECORD_1, RECORD_2 = {"type": "record", "id": "record-1"}, {"type": "record", "id": "record-2"}
ACTIVE, ARCHIVED = {"properties": {"status": "active"}}, {"properties": {"status": "archived"}}
ADMIN = BOB | {"properties": {"role": "admin"}}


@pytest.fixture(params=["embedded", pytest.param("opa", marks=pytest.mark.opa)], scope="module")
def under_test(tmp_path_factory, request):
    rego = WITHOUT_OPA
    if request.param == "opa":
        binary = str(request.getfixturevalue("opa_binary"))
        rego = RegoEngines(nodes=GuardEngineName.OPA, opa_binary=binary)
    under_test = make_plane(sqlite_url(tmp_path_factory.mktemp("plane")), rego=rego)
    put_to_work(under_test, RECORDS)
    yield under_test
    under_test.plane.decision_point.close()
    under_test.store.close()


@pytest.fixture
async def pep(under_test):
    async with enforcement_point(under_test) as client:
        yield client


async def decisions(pep: httpx.AsyncClient, body: object) -> list[object]:
    answer = await pep.post(MANY, json=body)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/json"), answer.text
    assert "decision" not in answer.json()
    return [item["decision"] for item in answer.json()["evaluations"]]


async def test_basic_every_decision_of_the_fixture(pep):
    asked = [
        (question(), True),
        (question(action="write"), True),
        (question("bob"), True),
        (question("bob", "write"), False),
        (question(action="write", resource="record-2", status="archived"), False),
        (question("bob", "write", "record-2", status="archived", role="admin"), True),
        (question(action="delete", soft=True), True),
        (question(action="delete", soft=False), False),
        (question() | {"context": {"time": "2025-06-27T18:03-07:00", "ip": "192.168.1.1"}}, True),
        (question(role="manager", soft="GET", status="active") | {"foo": "bar", "futureField": {"nested": True}}, True),
    ]
    for body, want in asked * 2:  # twice: the same question has the same answer
        answer = await pep.post(ONE, json=body)
        assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/json"), answer.text
        assert answer.json()["decision"] is want, body
        assert isinstance(answer.json()["context"], dict)


def without(entity: str, name: str | None = None) -> dict[str, object]:
    asked = question()
    if name is None:
        del asked[entity]
    else:
        del asked[entity][name]
    return asked


async def test_basic_what_cannot_be_read_is_400(pep):
    wrong = [without(entity) for entity in ("subject", "action", "resource")]
    wrong += [without(*place) for place in (("subject", "type"), ("subject", "id"), ("action", "name"))]
    wrong += [without("resource", "type"), without("resource", "id")]
    wrong += [question() | {"subject": "alice"}, question() | {"action": {"name": 123}}]
    answers = [await pep.post(ONE, json=body) for body in wrong]
    json_type = {"Content-Type": "application/json"}
    answers.append(await pep.post(ONE, content=b'{"subject": ', headers=json_type))
    answers.append(await pep.post(ONE, content=b"", headers=json_type))
    answers.append(await pep.post(ONE, content=b"subject=alice", headers={"Content-Type": "text/plain"}))
    assert [answer.status_code for answer in answers] == [400] * len(answers)


async def test_basic_the_request_id_is_told_back(pep):
    for body in (question(), without("subject")):
        answer = await pep.post(ONE, json=body, headers={"X-Request-ID": "bfe9eb29-ab87-4ca3-be83-a1d5d8305716"})
        assert answer.headers["X-Request-ID"] == "bfe9eb29-ab87-4ca3-be83-a1d5d8305716"
    assert (await pep.post(ONE, json=question())).headers["X-Request-ID"].startswith("req_")


@pytest.mark.parametrize(
    ("body", "want"),
    [
        pytest.param(
            {"subject": BOB, "resource": RECORD_1, "evaluations": [{"action": READ}, {"action": WRITE}]},
            [True, False],
            id="in-the-order-asked",
        ),
        pytest.param(
            {
                "subject": ALICE,
                "action": WRITE,
                "evaluations": [{"resource": RECORD_1 | ACTIVE}, {"resource": RECORD_2 | ARCHIVED}],
            },
            [True, False],
            id="properties-of-each-resource",
        ),
        pytest.param(
            {"action": WRITE, "resource": RECORD_2 | ARCHIVED, "evaluations": [{"subject": ALICE}, {"subject": ADMIN}]},
            [False, True],
            id="properties-of-each-subject",
        ),
        pytest.param({"evaluations": [question(), question("bob", "write")]}, [True, False], id="no-defaults"),
        pytest.param(
            {
                "subject": ALICE,
                "action": READ,
                "context": {"time": "2025-06-27T18:03-07:00"},
                "evaluations": [{"resource": RECORD_1}, {"resource": RECORD_2, "context": {"source": "override"}}],
            },
            [True, True],
            id="a-context-of-its-own",
        ),
        pytest.param(
            {
                "subject": ALICE,
                "action": WRITE,
                "resource": {"type": "record"},
                "evaluations": [{"resource": {"id": "record-1"} | ACTIVE}, {"resource": RECORD_2 | ARCHIVED}],
            },
            [True, False],
            id="a-type-from-the-default",
        ),
        pytest.param(
            {"subject": ALICE, "action": READ, "evaluations": [{"resource": RECORD_1}, {}]},
            [True, False],
            id="a-bad-item-in-a-good-batch",
        ),
    ],
)
async def test_batch(pep, body, want):
    assert await decisions(pep, body) == want


@pytest.mark.parametrize("more", [{}, {"evaluations": []}], ids=["no-list", "empty-list"])
async def test_batch_without_a_list_is_one_question(pep, more):
    answer = await pep.post(MANY, json=question() | more)
    assert (answer.status_code, answer.json()["decision"], "evaluations" in answer.json()) == (200, True, False)


@pytest.mark.parametrize(
    ("semantic", "want"),
    [
        ("execute_all", [True, False, True, False]),
        ("deny_on_first_deny", [True, False]),
        ("permit_on_first_permit", [True]),
    ],
)
async def test_batch_semantics(pep, semantic, want):
    asked = [question(), question("bob", "write"), question("bob"), {}]
    assert await decisions(pep, {"evaluations": asked, "options": {"evaluations_semantic": semantic}}) == want


async def test_discovery(pep):
    pep.headers.pop("Authorization")
    for environment in ("", "/staging"):
        answer = await pep.get("/.well-known/authzen-configuration" + environment, headers={"Host": "evil.test"})
        assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/json")
        assert answer.json() == {
            "policy_decision_point": URL + environment,
            "access_evaluation_endpoint": f"{URL}{environment}{ONE}",
            "access_evaluations_endpoint": f"{URL}{environment}{MANY}",
        }
