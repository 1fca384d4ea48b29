# SPDX-License-Identifier: Apache-2.0
from contextlib import suppress

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route
from starlette.types import Scope

from controlplane.metrics import Metrics
from controlplane.observed import Observed, name_route

PARENT = "00-" + "a" * 32 + "-" + "b" * 16 + "-01"


async def named(request: Request) -> Response:
    name_route(request.scope, "/v1/policies/<revision:policy>/<name>")
    return Response("CANARY-body", status_code=201)


async def unnamed(_: Request) -> Response:
    return Response(status_code=404)


async def failing(_: Request) -> Response:
    raise ZeroDivisionError


async def call(path: str, *, method: str = "GET", headers: list[tuple[bytes, bytes]] | None = None, answers=None):
    served = []
    inner = Starlette(routes=[Route("/named", named), Route("/unnamed", unnamed), Route("/failing", failing)])
    app = answers or Starlette(routes=[Mount("/", app=inner)])
    scope: Scope = {
        "type": "http",
        "method": method,
        "path": path,
        "query_string": b"CANARY-query",
        "headers": headers or [],
    }

    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(_):
        pass

    metrics = Metrics()
    with suppress(ZeroDivisionError):
        await Observed(app, metrics=metrics, trace=served.append)(scope, receive, send)
    return served[0], metrics.page(tuple).decode()


async def test_the_route_is_its_template():
    served, page = await call("/named")
    assert (served.method, served.route, served.status) == ("GET", "/v1/policies/{policy}/{name}", 201)
    assert served.ended_ns >= served.started_ns
    line = 'requests_total{method="GET",route="/v1/policies/{policy}/{name}",status="2xx"} 1.0'
    assert line in page
    assert "CANARY" not in page + repr(served)


async def test_a_path_that_no_route_serves_is_no_label():
    served, page = await call("/CANARY-path")
    assert (served.route, served.status) == ("unmatched", 404)
    assert "CANARY" not in page


async def test_a_method_that_a_client_invents_is_no_label():
    served, page = await call("/unnamed", method="CANARY")
    assert served.method == "_OTHER"
    assert "CANARY" not in page


async def test_a_request_that_fails_is_observed():
    served, page = await call("/failing")
    assert served.status == 500
    assert 'status="5xx"' in page


async def test_a_request_without_an_answer_is_observed():
    async def silent(scope, receive, send):
        pass

    served, page = await call("/named", answers=silent)
    assert served.status is None
    assert 'status="none"' in page


@pytest.mark.parametrize(
    ("headers", "parent"),
    [
        ([], None),
        ([(b"traceparent", PARENT.encode())], PARENT),
        ([(b"traceparent", PARENT.encode())] * 2, None),
    ],
)
async def test_one_traceparent_is_taken(headers, parent):
    served, _ = await call("/named", headers=headers)
    assert served.traceparent == parent


async def test_what_is_no_request_passes():
    seen = []

    async def app(scope, receive, send):
        seen.append(scope["type"])

    await Observed(app, metrics=Metrics(), trace=None)({"type": "lifespan"}, None, None)
    assert seen == ["lifespan"]
