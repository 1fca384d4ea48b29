# SPDX-License-Identifier: Apache-2.0
import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest

from controlplane.edge import Watch, create_edge
from policies.bundle.environment import verify_environment
from tests.control_planes import TOKENS, make_plane, sqlite_url

HERE = {"tenant": "default", "environment": "production"}
ENVIRONMENT = "/opa/v1/production/environment"


@pytest.fixture
def under_test(tmp_path):
    made = make_plane(sqlite_url(tmp_path))
    yield made
    made.store.close()


@asynccontextmanager
async def served(under_test) -> AsyncIterator[httpx.AsyncClient]:
    edge = create_edge(under_test.plane, under_test.app, Watch(under_test.plane))
    async with (
        edge.router.lifespan_context(edge),
        httpx.AsyncClient(transport=httpx.ASGITransport(edge), base_url="http://gatehouse.test", timeout=30) as client,
    ):
        yield client


def headers(role: str, **more: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {TOKENS[role]}", **more}


async def test_the_environment_document_is_served_signed_and_under_its_etag(under_test):
    async with served(under_test) as client:
        answer = await client.get(ENVIRONMENT, headers=headers("agent"))
        same = await client.get(ENVIRONMENT, headers=headers("agent", **{"If-None-Match": answer.headers["ETag"]}))
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/jose")
    assert verify_environment(answer.content, keys={"gatehouse-1": under_test.public_key}, **HERE).number == 1
    assert (same.status_code, same.headers["ETag"]) == (304, answer.headers["ETag"])


async def test_who_waits_is_told_of_the_next_document_though_another_process_published_it(under_test):
    async with served(under_test) as client:
        first = await client.get(ENVIRONMENT, headers=headers("agent"))
        more = {"If-None-Match": first.headers["ETag"], "Prefer": "wait=20"}
        parked = asyncio.create_task(client.get(ENVIRONMENT, headers=headers("agent", **more)))
        await asyncio.sleep(0.3)  # so that the look at the database has something to compare with
        with under_test.store.write() as session:
            under_test.plane.environment_documents.publish(session, **HERE)
        second = await parked
    assert second.status_code == 200
    assert verify_environment(second.content, keys={"gatehouse-1": under_test.public_key}, **HERE).number == 2


@pytest.mark.parametrize(
    ("path", "role", "want"),
    [
        pytest.param(ENVIRONMENT, None, 401, id="nobody"),
        pytest.param(ENVIRONMENT, "approver", 403, id="who-is-no-node"),
        pytest.param("/opa/v1/staging/environment", "agent", 404, id="an-environment-that-is-not"),
        pytest.param("/opa/v1/%00/environment", "agent", 404, id="nul"),
        pytest.param("/opa/v1/production/candidates/1.tar.gz", None, 401, id="a-candidate-for-nobody"),
        pytest.param("/opa/v1/production/candidates/1.tar.gz", "author", 403, id="a-candidate-for-an-author"),
        pytest.param("/opa/v1/production/candidates/1.tar.gz", "agent", 404, id="a-candidate-that-is-not"),
        pytest.param("/opa/v1/production/candidates/0.tar.gz", "agent", 404, id="serial-zero"),
        pytest.param("/opa/v1/production/candidates/-1.tar.gz", "agent", 404, id="a-negative-serial"),
        pytest.param("/opa/v1/production/candidates/\u0661.tar.gz", "agent", 404, id="another-script's-digit"),
        pytest.param(f"/opa/v1/production/candidates/{10**30}.tar.gz", "agent", 404, id="beyond-any-number"),
        pytest.param("/opa/v1/production/candidates/gatehouse.tar.gz", "agent", 404, id="a-name"),
    ],
)
async def test_refuses(under_test, path, role, want):
    async with served(under_test) as client:
        answer = await client.get(path, headers=headers(role) if role else {})
    assert answer.status_code == want
    assert answer.headers["Content-Type"] == "application/problem+json"
