# SPDX-License-Identifier: Apache-2.0
"""Another enforcement point in front of the edge, and the policies that the AuthZEN certification needs."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx

from controlplane.edge import Watch, create_edge
from tests.control_planes import ACCESS, ROUTES, TOKENS, PlaneUnderTest

URL = "https://pdp.gatehouse.test"

# The eight decisions of the certification's fixture (AuthZEN 1.0 certification scenario, "Required Policy Behaviour").
RECORDS = """\
kind: guard
id: records
version: "1"
spec:
  reasons: {record-not-permitted: "That record is not for you."}
  data:
    may: {alice: [read, write], bob: [read]}
  module: |
    package gatehouse.guard.records

    may := data.gatehouse.guard_data.records.may

    is_record if input.resource.type == "record"

    is_archived if input.resource.properties.status == "archived"

    writes if input.action.name == "write"

    writes_archived if {
      writes
      is_archived
    }

    permitted if {
      input.action.name in may[input.subject.id]
      not writes_archived
    }

    permitted if {
      writes_archived
      input.subject.properties.role == "admin"
    }

    permitted if {
      input.subject.id == "alice"
      input.action.name == "delete"
      input.action.properties.soft == true
    }

    allow if {
      is_record
      permitted
    }

    deny contains "record-not-permitted" if {
      is_record
      not permitted
    }
"""


def put_to_work(under_test: PlaneUnderTest, *sources: str) -> dict[str, Any]:
    """Make the policies what is in force, and return the activation."""
    for source in (ACCESS, ROUTES, *sources):
        made = under_test.call("POST", "/v1/policies", "author", json={"source": source})
        assert made.status_code in (201, 409), made.text
    return under_test.activate(under_test.release()["id"])


@asynccontextmanager
async def enforcement_point(under_test: PlaneUnderTest, role: str | None = "pep") -> AsyncIterator[httpx.AsyncClient]:
    """Give a client that asks with the token of `role`."""
    edge = create_edge(under_test.plane, under_test.app, Watch(under_test.plane), url=URL)
    headers = {"Authorization": f"Bearer {TOKENS[role]}"} if role else {}
    transport = httpx.ASGITransport(edge)
    async with httpx.AsyncClient(transport=transport, base_url=URL, headers=headers) as client:
        yield client


def question(subject: str = "alice", action: str = "read", resource: str = "record-1", **given: Any) -> dict[str, Any]:
    """Return a question about a record; `role`, `soft` and `status` are properties."""

    def entity(names: dict[str, str], key: str) -> dict[str, Any]:
        return names | ({"properties": {key: given[key]}} if key in given else {})

    return {
        "subject": entity({"type": "user", "id": subject}, "role"),
        "action": entity({"name": action}, "soft"),
        "resource": entity({"type": "record", "id": resource}, "status"),
    }
