# SPDX-License-Identifier: Apache-2.0
import httpx
import pytest

from inference.api.operations import operations_application


@pytest.fixture
def ready():
    return [True]


@pytest.fixture
async def operations(ready):
    application = operations_application(is_ready=lambda: ready[0], page=lambda: b"a_total 1.0\n")
    transport = httpx.ASGITransport(app=application)
    async with httpx.AsyncClient(transport=transport, base_url="http://operations") as client:
        yield client


async def test_the_page_is_prometheus_text(operations):
    page = await operations.get("/metrics")
    assert (page.status_code, page.text) == (200, "a_total 1.0\n")
    assert page.headers["content-type"].startswith("text/plain; version=")


async def test_readiness_is_the_engines_and_health_the_process(operations, ready):
    assert (await operations.get("/readyz")).json() == {"status": "ready"}
    ready[0] = False
    refused = await operations.get("/readyz")
    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "not_ready")
    assert (await operations.get("/healthz")).status_code == 200


@pytest.mark.parametrize("path", ["/v1/models", "/v1/chat/completions", "/", "/docs", "/openapi.json", "/debug"])
async def test_no_model_is_reached_from_here(operations, path):
    for method in ("GET", "POST"):
        assert (await operations.request(method, path)).status_code == 404
