# SPDX-License-Identifier: Apache-2.0
"""Jobs over real processes: streamed to the caller, done once by replicas, and done again after `kill -9`."""

import hashlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import update

from controlplane.services.operation import OperationState
from controlplane.store.engine import open_database
from controlplane.store.operation_tables import operations
from tests.databases import postgres_binaries, private_postgres
from tests.records import make_record
from tests.served_control_planes import Served, another_port, initialise, make_environment, served, until

pytestmark = pytest.mark.slow

RECORDS = 3_000
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
_NDJSON = {"Content-Type": "application/x-ndjson"}


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def environment(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[dict[str, str]]:
    prepared = make_environment(tmp_path) | {"GATEHOUSE_EXPORT_DIR": str(tmp_path / "exports")}
    if request.param == "sqlite":
        assert initialise(prepared).returncode == 0
        yield prepared
        return
    binaries = postgres_binaries()
    if binaries is None:
        pytest.skip("no PostgreSQL: install it")
    with private_postgres(binaries) as url:
        prepared |= {"GATEHOUSE_DATABASE_URL": url}
        assert initialise(prepared).returncode == 0
        yield prepared


def ingest(api: Served) -> None:
    for first in range(1, RECORDS + 1, 1000):
        batch = b"".join(make_record(seq=seq).to_line() for seq in range(first, first + 1000))
        assert api.call("POST", "/v1/records", "agent", content=batch, headers=_NDJSON).status_code == 200


def begin(api: Served, format_name: str) -> str:
    answer = api.call("POST", "/v1/exports", "auditor", json={"format": format_name})
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


def shown(api: Served, operation: str) -> dict:
    return api.call("GET", f"/v1/operations/{operation}", "auditor").json()


def content_of(api: Served, operation: str) -> bytes:
    until(lambda: shown(api, operation)["state"] not in {"pending", "running"}, within_s=60)
    ended = shown(api, operation)
    assert ended["state"] == "succeeded", ended
    answer = api.call("GET", ended["result"]["href"], "auditor")
    assert "sha256:" + hashlib.sha256(answer.content).hexdigest() == ended["result"]["digest"]
    return answer.content


def test_a_job_of_a_killed_process_is_done_by_the_next_one(environment):
    with served(environment, another_port()) as api:
        ingest(api)
        operation = begin(api, "ocsf")
        until(lambda: shown(api, operation)["progress"]["rows"] > 0)
        assert shown(api, operation)["state"] == "running"
        api.process.kill()
        api.process.wait(timeout=10)
    folder = Path(environment["GATEHOUSE_EXPORT_DIR"])
    assert [path.suffix for path in folder.iterdir()] == [".part"]
    lapse(environment)
    with served(environment, another_port()) as api:
        lines = content_of(api, operation).splitlines()
        events = [event["action"] for event in events_of(api, operation)]
    assert [json.loads(line)["unmapped"]["log_index"] for line in lines] == sorted(
        {json.loads(line)["unmapped"]["log_index"] for line in lines}
    )
    assert len(lines) == RECORDS
    assert events == ["export_requested", "export_made", "export_fetched"]
    assert len(list(folder.iterdir())) == 1


def test_a_job_of_a_process_that_ends_is_given_back_at_once(environment):
    with served(environment, another_port()) as api:
        ingest(api)
        operation = begin(api, "ocsf")
        until(lambda: shown(api, operation)["progress"]["rows"] > 0)
        api.process.terminate()
        assert api.process.wait(timeout=20) == 0
    with served(environment, another_port()) as api:
        assert len(content_of(api, operation).splitlines()) == RECORDS


@pytest.mark.only_on("postgres")
def test_replicas_do_each_job_once(environment):
    with served(environment, another_port()) as one, served(environment, another_port()) as other:
        ingest(one)
        jobs = [begin(api, name) for name in ("ndjson", "csv") for api in (one, other)]
        contents = [content_of(other, job) for job in jobs]
        assert contents[0] == contents[1]
        assert contents[2] == contents[3]
        for job in jobs:
            assert [event["action"] for event in events_of(one, job)].count("export_made") == 1


def events_of(api: Served, operation: str) -> list[dict]:
    found, query = [], {"limit": "500"}
    while True:
        page = api.call("GET", "/v1/admin-events", "auditor", params=query).json()
        found += [event for event in page["items"] if event["target"] == operation]
        if page["next_cursor"] is None:
            return found
        query["cursor"] = page["next_cursor"]


def lapse(environment: dict[str, str]) -> None:
    """Let the lease of the killed process have run out: half a minute is long for a test."""
    engine = open_database(environment["GATEHOUSE_DATABASE_URL"])
    with engine.begin() as connection:
        running = operations.c.state == OperationState.RUNNING.value
        assert connection.execute(update(operations).where(running).values(leased_until=LONG_AGO)).rowcount == 1
    engine.dispose()
