# SPDX-License-Identifier: Apache-2.0
"""The endpoints as an enforcement point meets them: refusals, what is told to whom, what is on record."""

import asyncio

import pytest

from controlplane import authzen
from controlplane.services.errors import StoreUnavailable
from controlplane.services.ingestion import Ingestion
from tests.control_planes import make_plane, sqlite_url
from tests.evaluations import RECORDS, enforcement_point, put_to_work, question

ONE, MANY = "/access/v1/evaluation", "/access/v1/evaluations"
CHAT = {
    "subject": {"type": "user", "id": "bob"},
    "action": {"name": "chat.completions"},
    "resource": {"type": "model", "id": "parrot"},
}
SCREEN = """\
kind: screening
id: screen
version: "1"
spec:
  rules:
    - {id: override, effect: deny, phrases: [ignore all previous instructions], models: [parrot]}
"""
MALLORY = CHAT | {"subject": {"type": "user", "id": "mallory"}}


@pytest.fixture(scope="module")
def under_test(tmp_path_factory):
    made = make_plane(sqlite_url(tmp_path_factory.mktemp("plane")))
    put_to_work(made, RECORDS, SCREEN)
    yield made
    made.plane.decision_point.close()
    made.store.close()


@pytest.fixture
async def pep(under_test):
    async with enforcement_point(under_test) as client:
        yield client


def on_record(under_test, decision_id):
    return under_test.call("GET", f"/v1/decisions/{decision_id}", "auditor").json


async def test_a_grant_answers_and_is_on_record(pep, under_test):
    told = (await pep.post(ONE, json=CHAT, headers={"X-Request-ID": "theirs-1"})).json()
    assert told["decision"] is True
    found = on_record(under_test, told["context"]["decision_id"])
    assert (found["subject"], found["outcome"], found["model"]) == ("user:bob", "allow", "parrot")
    assert (found["revision"], found["serial"]) == (told["context"]["policy_revision"], told["context"]["serial"])
    listed = under_test.call("GET", "/v1/decisions?kind=evaluation&subject=user:bob", "auditor").json["items"]
    assert told["context"]["decision_id"] in [item["record_id"] for item in listed]


async def test_what_looks_at_texts_is_told_as_not_judged(pep):
    for asked, want in ((CHAT, ["screening"]), (MALLORY, ["screening"]), (question(), None)):
        assert (await pep.post(ONE, json=asked)).json()["context"].get("not_judged") == want


async def test_a_denial_is_200_with_reasons_and_without_rules(pep):
    answer = await pep.post(ONE, json=MALLORY)
    told = answer.json()["context"]
    assert (answer.status_code, answer.json()["decision"], told["reasons"]) == (200, False, ["no-applicable-policy"])
    assert told["reason_user"] == {"403": "No policy grants this request."}
    assert "reason_admin" not in told


async def test_an_author_is_told_the_rule(under_test):
    async with enforcement_point(under_test, "author") as author:
        told = (await author.post(ONE, json=question("bob", "write"))).json()["context"]
    assert told["reason_admin"] == {"403": "record-not-permitted by records"}
    assert told["reason_user"] == {"403": "That record is not for you."}


@pytest.mark.parametrize("groups", [["staff"], "staff"])
async def test_nobody_joins_a_group_by_saying_so(pep, groups):
    claimed = MALLORY | {"subject": {"type": "user", "id": "mallory", "properties": {"groups": groups}}}
    assert (await pep.post(ONE, json=claimed)).json()["decision"] is False


async def test_a_blocked_subject_is_refused_at_once(pep, under_test):
    assert (await pep.post(ONE, json=CHAT)).json()["decision"] is True
    blocked = "/v1/blocked-subjects/user:bob?environment=production"
    assert under_test.call("PUT", blocked, "admin").status_code < 300
    try:
        told = (await pep.post(ONE, json=CHAT)).json()
        assert (told["decision"], told["context"]["reasons"]) == (False, ["credentials-revoked"])
    finally:
        assert under_test.call("DELETE", blocked, "admin").status_code < 300
    assert (await pep.post(ONE, json=CHAT)).json()["decision"] is True


async def test_a_batch_is_recorded_item_by_item(pep, under_test):
    batch = {"evaluations": [CHAT, {}, MALLORY]}
    good, bad, denied = (await pep.post(MANY, json=batch)).json()["evaluations"]
    assert bad["context"]["error"] == {"status": 400, "message": "subject is missing."}
    found = [on_record(under_test, told["context"]["decision_id"]) for told in (good, denied)]
    assert [record["outcome"] for record in found] == ["allow", "deny"]
    assert [record["envelope"]["asked_in"]["index"] for record in found] == [0, 2]


@pytest.mark.parametrize(
    ("role", "want"), [(None, 401), ("agent", 403), ("admin", 403), ("auditor", 403), ("pep", 200), ("author", 200)]
)
async def test_who_may_ask(under_test, role, want):
    async with enforcement_point(under_test, role) as client:
        answer = await client.post(ONE, json=CHAT)
    assert answer.status_code == want
    assert ("WWW-Authenticate" in answer.headers) is (want == 401)


async def test_a_token_that_is_taken_away_is_refused(under_test, monkeypatch):
    monkeypatch.setattr(authzen, "_PRINCIPAL_FOR_S", 0.0)
    made = under_test.call("POST", "/v1/role-bindings", "admin", json={"name": "shop", "role": "pep"})
    async with enforcement_point(under_test, None) as shop:
        shop.headers["Authorization"] = f"Bearer {made.json['token']}"
        assert (await shop.post(ONE, json=CHAT)).status_code == 200
        assert under_test.call("DELETE", f"/v1/role-bindings/{made.json['id']}", "admin").status_code == 204
        assert (await shop.post(ONE, json=CHAT)).status_code == 401


@pytest.mark.parametrize(
    ("content", "want"),
    [
        pytest.param(b'{"subject":{},"subject":{}}', 400, id="a-key-twice"),
        pytest.param(b'{"x":NaN}', 400, id="not-a-number"),
        pytest.param(b'{"x":1e999}', 400, id="infinite"),
        pytest.param(b'{"x":18446744073709551616}', 400, id="beyond-64-bits"),
        pytest.param(b'{"x":"\\ud800"}', 400, id="half-a-pair"),
        pytest.param(b'{"x":' + b"[" * 100_000, 400, id="deep"),
        pytest.param(b"\xff", 400, id="not-utf-8"),
        pytest.param(b" " * (1024 * 1024 + 1), 413, id="too-large"),
    ],
)
async def test_hostile_bodies(pep, content, want):
    answer = await pep.post(ONE, content=content, headers={"Content-Type": "application/json"})
    assert answer.status_code == want
    assert answer.headers["Content-Type"].startswith("text/plain")


async def test_problem_details_for_who_takes_them(pep):
    answer = await pep.post(ONE, json={}, headers={"Accept": "application/problem+json"})
    assert (answer.status_code, answer.headers["Content-Type"]) == (400, "application/problem+json")
    assert (answer.json()["code"], answer.json()["detail"]) == ("evaluation-invalid", "subject is missing.")


@pytest.mark.parametrize(("given", "told"), [("x" * 256, True), ("x" * 257, False), ("a b", True), ("a\tb", False)])
async def test_only_a_request_id_that_is_one_is_told_back(pep, given, told):
    answer = await pep.post(ONE, json=CHAT, headers={"X-Request-ID": given})
    assert (answer.headers["X-Request-ID"] == given) is told


async def test_an_environment_is_named_by_the_path(pep):
    assert (await pep.post("/production" + ONE, json=CHAT)).json()["decision"] is True
    assert (await pep.post("/moon" + ONE, json=CHAT)).status_code == 404
    assert (await pep.post("/%00" + ONE, json=CHAT)).status_code == 404


@pytest.mark.parametrize("path", [ONE, MANY, "/production" + ONE])
async def test_other_methods_are_refused(pep, path):
    answer = await pep.get(path)
    assert (answer.status_code, answer.headers["Allow"]) == (405, "POST")


async def test_who_asks_in_a_loop_is_told_to_wait(pep, monkeypatch):
    monkeypatch.setattr(authzen, "_BURST", 3.0)
    monkeypatch.setattr(authzen, "_QUESTIONS_PER_S", 0.0)
    assert (await pep.post(MANY, json={"evaluations": [CHAT, CHAT, CHAT]})).status_code == 200
    answer = await pep.post(ONE, json=CHAT)
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "1")


async def test_no_more_than_fit_are_answered_at_once(pep, monkeypatch):
    monkeypatch.setattr(authzen, "_AT_ONCE", 0)
    assert (await pep.post(ONE, json=CHAT)).status_code == 429


async def test_who_sends_nothing_holds_no_place(pep, monkeypatch):
    monkeypatch.setattr(authzen, "_BODY_WITHIN_S", 0.05)

    async def slowly():
        yield b"{"
        await asyncio.sleep(5)
        yield b"}"

    # httpx's own transport reads all of a body before it asks; this is what a server does.
    received = slowly()

    async def receive():
        return {"type": "http.request", "body": await anext(received), "more_body": True}

    sent = []

    async def send(message):
        sent.append(message)

    headers = [(b"content-type", b"application/json"), (b"authorization", pep.headers["Authorization"].encode())]
    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": "POST",
        "path": ONE,
        "query_string": b"",
        "headers": headers,
    }
    await pep._transport.app(scope, receive, send)
    assert sent[0]["status"] == 400
    await received.aclose()


async def test_nothing_is_told_that_is_not_on_record(pep, monkeypatch):
    def fail(*_: object) -> None:
        raise StoreUnavailable("down")

    monkeypatch.setattr(Ingestion, "keep", fail)
    answer = await pep.post(ONE, json=CHAT)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
    assert "decision" not in answer.text.lower().replace("nothing was decided", "")


async def test_nothing_in_force_is_no_decision(tmp_path):
    empty = make_plane(sqlite_url(tmp_path))
    try:
        async with enforcement_point(empty) as client:
            answer = await client.post(ONE, json=CHAT)
        assert answer.status_code == 404
        assert "decision" not in answer.text
    finally:
        empty.plane.decision_point.close()
        empty.store.close()
