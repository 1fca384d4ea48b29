# SPDX-License-Identifier: Apache-2.0
"""Two control planes on one PostgreSQL: what is done at once is done once, and `kill -9` leaves nothing half done."""

import os
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from controlplane.store.engine import open_database
from policies.bundle.verify import verify
from tests.databases import postgres_binaries, private_postgres
from tests.records import make_record
from tests.served_control_planes import (
    ACCESS,
    BUNDLE,
    TOKENS,
    Served,
    activate,
    another_port,
    initialise,
    make_environment,
    make_release,
    public_key,
    served,
)

pytestmark = pytest.mark.postgres

_NDJSON = {"Content-Type": "application/x-ndjson"}


@pytest.fixture(scope="module")
def postgres_url() -> Iterator[str]:
    named = os.environ.get("GATEHOUSE_TEST_DATABASE_URL")
    binaries = postgres_binaries()
    if named:
        yield named
    elif binaries is None:
        pytest.skip("no PostgreSQL: install it, or set GATEHOUSE_TEST_DATABASE_URL")
    else:
        with private_postgres(binaries) as url:
            yield url


@pytest.fixture
def environment(postgres_url: str, tmp_path: Path) -> dict[str, str]:
    engine = open_database(postgres_url)
    with engine.begin() as connection:
        connection.exec_driver_sql("DROP SCHEMA public CASCADE")
        connection.exec_driver_sql("CREATE SCHEMA public")
    engine.dispose()
    prepared = make_environment(tmp_path) | {"GATEHOUSE_DATABASE_URL": postgres_url}
    assert initialise(prepared).returncode == 0
    return prepared


@pytest.fixture
def replicas(environment) -> Iterator[tuple[Served, Served]]:
    with served(environment, another_port()) as first, served(environment, another_port()) as second:
        yield first, second


def at_once(*calls: Callable[[], httpx.Response]) -> list[httpx.Response]:
    """Make the calls at the same moment, as near as threads come to it."""
    barrier = threading.Barrier(len(calls))

    def run(call: Callable[[], httpx.Response]) -> httpx.Response:
        barrier.wait()
        return call()

    with ThreadPoolExecutor(len(calls)) as threads:
        return list(threads.map(run, calls))


def statuses(answers: list[httpx.Response]) -> Counter[int]:
    return Counter(answer.status_code for answer in answers)


def test_of_activations_from_one_state_exactly_one_wins(replicas):
    release = make_release(replicas[0])
    for serial in ("0", "1", "2"):

        def call(api: Served, if_match: str = serial) -> httpx.Response:
            body = {"release": release, "environment": "production"}
            headers = {"If-Match": f'"{if_match}"'}
            return api.call("POST", "/v1/activations", "approver", json=body, headers=headers)

        answers = at_once(*(lambda api=api: call(api) for api in replicas * 3))
        assert statuses(answers) == {201: 1, 412: 5}
    assert [item["serial"] for item in everything(replicas[1], "/v1/activations", "approver")] == [1, 2, 3]


def test_a_policy_created_or_revised_at_once_is_so_once(replicas):
    created = at_once(
        *(lambda api=api: api.call("POST", "/v1/policies", "author", json={"source": ACCESS}) for api in replicas * 3),
    )
    assert statuses(created) == {201: 1, 409: 5}
    etag = next(answer.headers["ETag"] for answer in created if answer.status_code == 201)

    def revise(api: Served, number: int) -> httpx.Response:
        source = ACCESS.replace('version: "1"', f'version: "{number}"')
        path = "/v1/policies/chat-access/revisions"
        return api.call("POST", path, "author", json={"source": source}, headers={"If-Match": etag})

    revised = at_once(*(lambda api=api, n=n: revise(api, n) for n, api in enumerate(replicas * 3, start=2)))
    assert statuses(revised) == {201: 1, 412: 5}


def test_the_same_records_from_four_clients_are_stored_once(replicas):
    batches = [b"".join(make_record(seq=seq).to_line() for seq in range(at, at + 50)) for at in range(1, 500, 50)]

    def deliver(api: Served) -> Counter[str]:
        sums: Counter[str] = Counter()
        for batch in batches:
            answer = api.call("POST", "/v1/records", "agent", content=batch, headers=_NDJSON)
            assert answer.status_code == 200, answer.text
            sums.update(answer.json())
        return sums

    with ThreadPoolExecutor(4) as threads:
        total = sum(threads.map(deliver, replicas * 2), Counter[str]())
    assert (total["stored"], total["duplicates"], total["quarantined"]) == (500, 1500, 0)
    assert [item["log_index"] for item in everything(replicas[0], "/v1/decisions", "auditor")] == list(range(500))


def test_a_node_that_reports_twice_at_once_for_the_first_time_is_known_once(replicas):
    body = {"node_id": "n1", "environment": "production", "version": "1", "guard_engine": "opa", "workers": []}
    answers = at_once(
        *(lambda api=api: api.call("POST", "/v1/agents/n1/status", "agent", json=body) for api in replicas * 3),
    )
    assert statuses(answers) == {200: 6}
    assert [item["id"] for item in everything(replicas[0], "/v1/agents", "auditor")] == ["n1"]


def test_pages_are_whole_while_records_arrive(replicas):
    first, second = replicas
    deliver(second, range(1, 101))
    seen, cursor = [], None
    for at in range(101, 2000, 50):
        query = {"limit": "30", "order": "asc"} | ({"cursor": cursor} if cursor else {})
        page = first.call("GET", "/v1/decisions", "auditor", params=query).json()
        seen += [item["log_index"] for item in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
        deliver(second, range(at, at + 50))
    assert seen == list(range(100))


def test_of_the_last_two_admins_one_stays(replicas):
    made = replicas[0].call("POST", "/v1/role-bindings", "admin", json={"name": "second", "role": "admin"}).json()
    second = {"Authorization": f"Bearer {made['token']}"}
    answers = at_once(
        lambda: replicas[0].call("DELETE", f"/v1/role-bindings/{made['id']}", "admin"),
        lambda: replicas[1].call("DELETE", "/v1/role-bindings/admin", "admin", headers=second),
    )
    assert statuses(answers)[204] == 1
    assert {409, 401} & {answer.status_code for answer in answers}


def test_killed_while_it_works_it_leaves_nothing_half_done(environment):
    acknowledged: list[int] = []
    activated: list[int] = []
    with served(environment, another_port()) as api:
        release = make_release(api)
        kill = threading.Timer(2.0, api.process.kill)
        kill.start()

        def ingest() -> None:
            for at in range(1, 100_000, 20):
                answer = deliver(api, range(at, at + 20))
                if answer.status_code == 200:
                    acknowledged.append(at)

        def put_to_work() -> None:
            for serial in range(10_000):
                body = {"release": release, "environment": "production"}
                headers = {"If-Match": f'"{serial}"'}
                answer = api.call("POST", "/v1/activations", "approver", json=body, headers=headers)
                if answer.status_code == 201:
                    activated.append(answer.json()["serial"])

        with ThreadPoolExecutor(2) as threads:
            ended = [threads.submit(ingest), threads.submit(put_to_work)]
        assert all(isinstance(each.exception(), httpx.TransportError) for each in ended)
        kill.join()
    assert acknowledged
    assert activated
    with served(environment, another_port()) as api:
        indexes = [item["log_index"] for item in everything(api, "/v1/decisions", "auditor")]
        assert indexes == list(range(len(indexes)))  # dense, so that whole batches are there or not at all
        assert len(indexes) in {20 * len(acknowledged), 20 * len(acknowledged) + 20}
        serials = [item["serial"] for item in everything(api, "/v1/activations", "approver")]
        assert serials == list(range(1, len(serials) + 1))
        assert len(serials) in {len(activated), len(activated) + 1}
        in_force = api.call("GET", "/v1/environments/production", "approver").json()
        assert in_force["desired"]["serial"] == in_force["serial"] == serials[-1]
        bundle = api.call("GET", BUNDLE, "agent").content
        keys = {"gatehouse-1": public_key(environment)}
        assert (
            verify(bundle, keys=keys, tenant="default", environment="production", newer_than=None).serial == serials[-1]
        )
        activate(api, release)
        assert deliver(api, range(1, 21)).json() == {"stored": 0, "duplicates": 20, "quarantined": 0}


def deliver(api: Served, numbers: range) -> httpx.Response:
    batch = b"".join(make_record(seq=seq).to_line() for seq in numbers)
    return api.call("POST", "/v1/records", "agent", content=batch, headers=_NDJSON)


def everything(api: Served, path: str, role: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    query: dict[str, str] = {"limit": "500"}
    with httpx.Client(base_url=api.url, trust_env=False, timeout=20) as client:
        while True:
            page = client.get(path, params=query, headers={"Authorization": f"Bearer {TOKENS[role]}"}).json()
            items += page["items"]
            if page["next_cursor"] is None:
                return items
            query["cursor"] = page["next_cursor"]
