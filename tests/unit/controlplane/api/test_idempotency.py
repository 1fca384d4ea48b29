# SPDX-License-Identifier: Apache-2.0
"""`Idempotency-Key`: sent twice, a request takes effect once and is answered the same."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from controlplane.services.errors import StoreUnavailable
from controlplane.services.idempotency import MOST_ANSWER_BYTES
from tests.control_planes import ACCESS, ROUTES, make_plane, sqlite_url

POLICIES, KEYS = "/v1/policies", "/v1/api-keys"
ALICE = {"subject": "user:alice"}
DAY_S = 24 * 3600
LEASE_S = 120


@pytest.fixture
def under_test(tmp_path):
    return make_plane(sqlite_url(tmp_path))


def post(under_test, body, path=KEYS, role="admin", key="k-1", **headers):
    return under_test.call("POST", path, role, json=body, headers={"Idempotency-Key": key} | headers)


def refusal(answer):
    return answer.status_code, answer.json["code"]


def listed(under_test):
    return under_test.call("GET", KEYS, "admin").json["items"]


def test_the_second_time_it_is_answered_as_the_first(under_test):
    first = post(under_test, {"source": ACCESS}, POLICIES, "author")
    again = post(under_test, {"source": ACCESS}, POLICIES, "author")
    assert first.status_code == again.status_code == 201
    assert again.data == first.data
    for name in ("Content-Type", "ETag", "Location"):
        assert again.headers[name] == first.headers[name]
    assert "Idempotency-Replayed" not in first.headers
    assert again.headers["Idempotency-Replayed"] == "true"
    assert again.headers["X-Request-Id"] != first.headers["X-Request-Id"]
    assert again.headers["X-Content-Type-Options"] == "nosniff"


def test_a_secret_is_shown_again_and_kept_sealed(under_test, tmp_path):
    shown = post(under_test, ALICE).json
    assert post(under_test, ALICE).json == shown
    assert len(listed(under_test)) == 1
    assert not [file for file in tmp_path.rglob("gatehouse.db*") if shown["key"].encode() in file.read_bytes()]


def test_a_refusal_is_given_again_too(under_test):
    assert refusal(post(under_test, {"subject": "nobody"})) == refusal(post(under_test, {"subject": "nobody"}))
    assert post(under_test, {"subject": "nobody"}).headers["Idempotency-Replayed"] == "true"
    assert refusal(post(under_test, ALICE)) == (422, "idempotency-key-reused")


def test_a_stale_precondition_may_be_put_right(under_test):
    post(under_test, {"source": ACCESS}, POLICIES, "author", key="create")
    path, body = f"{POLICIES}/chat-access/revisions", {"source": ACCESS.replace('"1"', '"2"')}
    assert post(under_test, body, path, "author", **{"If-Match": '"other"'}).status_code == 412
    made = post(under_test, body, path, "author", **{"If-Match": "*"})
    assert (made.status_code, "Idempotency-Replayed" in made.headers) == (201, False)
    assert post(under_test, body, path, "author", **{"If-Match": '"other"'}).data == made.data


@pytest.mark.parametrize(
    ("path", "body"),
    [
        pytest.param(KEYS, {"subject": "user:bob"}, id="body"),
        pytest.param(f"{KEYS}?dry=1", ALICE, id="query"),
    ],
)
def test_the_key_of_another_request_is_refused(under_test, path, body):
    post(under_test, ALICE)
    assert refusal(post(under_test, body, path)) == (422, "idempotency-key-reused")
    assert len(listed(under_test)) == 1


def test_the_same_key_for_another_thing_of_one_route_is_refused(under_test):
    for source in (ACCESS, ROUTES):
        post(under_test, {"source": source}, POLICIES, "author", key=source[-8:-3].replace(" ", "_"))
    headers = {"If-Match": "*"}
    body = {"source": ACCESS.replace('"1"', '"2"')}
    assert post(under_test, body, f"{POLICIES}/chat-access/revisions", "author", **headers).status_code == 201
    other = post(under_test, body, f"{POLICIES}/openai-routes/revisions", "author", **headers)
    assert refusal(other) == (422, "idempotency-key-reused")


def test_keys_of_others_and_of_other_routes_are_other_keys(under_test):
    assert post(under_test, ALICE).status_code == 201
    assert post(under_test, {"name": "more", "role": "admin"}, "/v1/role-bindings").status_code == 201
    token = post(under_test, {"name": "two", "role": "admin"}, "/v1/role-bindings", key="k-2").json["token"]
    assert post(under_test, ALICE, Authorization=f"Bearer {token}").status_code == 201
    assert len(listed(under_test)) == 2


def test_who_may_no_longer_gets_no_old_answer(under_test):
    binding = post(under_test, {"name": "two", "role": "admin"}, "/v1/role-bindings").json
    theirs = {"Authorization": f"Bearer {binding['token']}"}
    assert post(under_test, ALICE, **theirs).status_code == 201
    under_test.call("DELETE", f"/v1/role-bindings/{binding['id']}", "admin")
    assert post(under_test, ALICE, **theirs).status_code == 401


@pytest.mark.parametrize("key", ["", " ", "a b", "ä", "a" * 256])
def test_a_key_is_visible_ascii(under_test, key):
    assert refusal(post(under_test, ALICE, key=key)) == (400, "idempotency-key-invalid")
    assert listed(under_test) == []


def test_the_longest_key_is_one(under_test):
    assert [post(under_test, ALICE, key="~" * 255).status_code for _ in range(2)] == [201, 201]
    assert len(listed(under_test)) == 1


def test_after_a_day_the_key_is_free(under_test):
    post(under_test, ALICE)
    under_test.clock.turn(DAY_S - 1)
    assert post(under_test, ALICE).headers["Idempotency-Replayed"] == "true"
    under_test.clock.turn(1)
    assert post(under_test, {"subject": "user:bob"}).status_code == 201
    assert len(listed(under_test)) == 2


def test_of_many_at_once_one_takes_effect(under_test):
    barrier = threading.Barrier(8)

    def send(_):
        barrier.wait()
        return post(under_test, ALICE)

    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(send, range(8)))
    made = {answer.data for answer in answers if answer.status_code == 201}
    refused = [answer for answer in answers if answer.status_code != 201]
    assert len(made) == len(listed(under_test)) == 1
    assert all(refusal(answer) == (409, "idempotency-in-flight") for answer in refused)
    assert all(answer.headers["Retry-After"] == "1" for answer in refused)


def failing(under_test, monkeypatch, error):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr(type(under_test.plane.api_keys), "create", fail)


@pytest.mark.parametrize(("error", "status"), [(StoreUnavailable("locked"), 503), (RuntimeError("no"), 500)])
def test_a_failure_is_not_kept(under_test, monkeypatch, error, status):
    with monkeypatch.context() as failure:
        failing(under_test, failure, error)
        assert post(under_test, ALICE).status_code == status
    assert post(under_test, ALICE).status_code == 201


class _Killed(BaseException):
    """No handler sees it, as none sees that the process was killed."""


def test_a_try_that_was_killed_holds_the_key_for_its_lease(under_test, monkeypatch):
    with monkeypatch.context() as failure:
        failing(under_test, failure, _Killed())
        with pytest.raises(_Killed):
            post(under_test, ALICE)
    under_test.clock.turn(LEASE_S - 1)
    assert refusal(post(under_test, ALICE)) == (409, "idempotency-in-flight")
    under_test.clock.turn(1)
    assert refusal(post(under_test, {"subject": "user:bob"})) == (422, "idempotency-key-reused")
    assert post(under_test, ALICE).status_code == 201


def test_an_answer_that_cannot_be_opened_is_not_a_new_try(under_test, monkeypatch):
    monkeypatch.setattr("controlplane.api.idempotency.MOST_ANSWER_BYTES", 10)
    monkeypatch.setattr("controlplane.services.idempotency.MOST_ANSWER_BYTES", 10)
    assert MOST_ANSWER_BYTES > 10
    assert post(under_test, ALICE).status_code == 201
    assert refusal(post(under_test, ALICE)) == (409, "idempotent-answer-not-kept")
    assert len(listed(under_test)) == 1


def test_records_say_by_themselves_what_was_sent(under_test):
    for batch in (b"1\n", b"2\n"):
        answer = under_test.call(
            "POST",
            "/v1/records",
            "agent",
            data=batch,
            content_type="application/x-ndjson",
            headers={"Idempotency-Key": "k-1"},
        )
        assert (answer.status_code, answer.json["quarantined"]) == (200, 1)


def test_every_post_that_changes_something_takes_a_key(under_test):
    paths = under_test.call("GET", "/openapi.json", None).json["paths"]
    without = {
        path
        for path, operations in paths.items()
        if path.startswith("/v1/")
        and "post" in operations
        and "Idempotency-Key" not in {one.get("name") for one in operations["post"].get("parameters", ())}
    }
    assert without == {
        "/v1/agents/{node_id}/status",
        "/v1/explanations",
        "/v1/hmac-lookups",
        "/v1/policies/{policy_id}/revisions/{revision}:validate",
        "/v1/policies:test",
        "/v1/policies:validate",
        "/v1/records",
        "/v1/redactions:test",
    }
