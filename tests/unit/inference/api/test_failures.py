# SPDX-License-Identifier: Apache-2.0
import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Route

from inference.api.errors import invalid
from inference.api.failures import exception_handlers, last_resort


async def refuse(_):
    raise invalid("n", "No.")


async def break_down(_):
    raise LookupError("a secret")


@pytest.mark.parametrize(
    ("method", "path", "want"),
    [
        pytest.param("GET", "/refuse", (400, "invalid_value"), id="refused"),
        pytest.param("GET", "/none", (404, "not_found"), id="no-such-path"),
        pytest.param("PUT", "/refuse", (405, "method_not_allowed"), id="not-this-method"),
        pytest.param("GET", "/break", (500, "internal_error"), id="unforeseen"),
    ],
)
async def test_each_failure_has_one_shape_and_is_counted_by_its_code(method, path, want, capfd):
    counted = []
    routes = [Route("/refuse", refuse, methods=["GET"]), Route("/break", break_down, methods=["GET"])]
    handlers = exception_handlers(lambda status, code: counted.append((status, code)))
    application = last_resort(Starlette(routes=routes, exception_handlers=handlers))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=application), base_url="http://x") as client:
        told = await client.request(method, path)
    assert want == (told.status_code, told.json()["error"]["code"])
    assert [want] == counted
    assert "secret" not in told.text + "".join(capfd.readouterr())
