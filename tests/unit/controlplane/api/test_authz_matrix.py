# SPDX-License-Identifier: Apache-2.0
"""Every role, and nobody, at every endpoint, called for real: the golden table is what reviewers read."""

import re
from pathlib import Path

import httpx
import pytest

from controlplane.api.openapi import DOCUMENT
from controlplane.edge import Watch, create_edge
from tests.control_planes import TOKENS, PlaneUnderTest, make_plane, sqlite_url

GOLDEN = Path(__file__).resolve().parents[3] / "golden" / "authz-matrix.txt"
ROLES = (None, *TOKENS)
METHODS = ("get", "post", "put", "patch", "delete")
REFUSED = {401: "-", 403: "no"}


@pytest.fixture
def under_test(tmp_path) -> PlaneUnderTest:
    return make_plane(sqlite_url(tmp_path))


async def test_every_role_at_every_endpoint(under_test, update_golden):
    table = await _table(under_test)
    if update_golden:
        GOLDEN.write_text(table)
    assert table == GOLDEN.read_text()


def test_an_endpoint_without_rules_stops_the_start(under_test):
    from controlplane.api.guard import refuse_unguarded

    under_test.app.view_functions["forgotten"] = lambda: "secret"
    with pytest.raises(LookupError, match="forgotten"):
        refuse_unguarded(under_test.app)


def test_the_table_is_of_every_route(under_test):
    documented = {
        (method.upper(), path)
        for path, operations in under_test.app.extensions[DOCUMENT]["paths"].items()
        for method in operations.keys() & set(METHODS)
    }
    routed = {
        (method, re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule))
        for rule in under_test.app.url_map.iter_rules()
        for method in rule.methods - {"HEAD", "OPTIONS"}
    }
    of_the_docs = {("GET", path) for path in ("/", "/docs", "/docs/style.css", "/openapi.json")}
    of_the_edge = {("GET", "/v1/decisions:tail")}
    of_the_edge |= {(method, path) for method, path in documented if path.startswith("/opa/")}
    of_the_edge |= {(method, path) for method, path in documented if "/access/v1/" in path or "/authzen-" in path}
    assert documented == (routed - of_the_docs) | of_the_edge


async def _table(under_test: PlaneUnderTest) -> str:
    edge = create_edge(under_test.plane, under_test.app, Watch(under_test.plane))
    lines = [f"{'':6} {'':52} " + " ".join(f"{role or 'nobody':8}" for role in ROLES)]
    async with httpx.AsyncClient(transport=httpx.ASGITransport(edge), base_url="http://gatehouse.test") as client:
        for path, operations in sorted(under_test.app.extensions[DOCUMENT]["paths"].items()):
            for method in METHODS:
                if method in operations:
                    cells = [await _cell(client, method, path, role) for role in ROLES]
                    lines.append(f"{method.upper():6} {path:52} " + " ".join(f"{cell:8}" for cell in cells))
    return "\n".join(line.rstrip() for line in lines) + "\n"


async def _cell(client: httpx.AsyncClient, method: str, path: str, role: str | None) -> str:
    headers = {"Authorization": f"Bearer {TOKENS[role]}"} if role else {}
    concrete = path.replace("{environment}", "production")
    concrete = concrete.replace("{", "").replace("}", "")
    concrete += "?max_s=0" if concrete.endswith(":tail") else ""
    answer = await client.request(method.upper(), concrete, headers=headers)
    assert answer.status_code < 500, answer.text
    return REFUSED.get(answer.status_code, "yes")
