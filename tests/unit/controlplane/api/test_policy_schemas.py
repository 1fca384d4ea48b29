# SPDX-License-Identifier: Apache-2.0
import jsonschema_rs
import pytest

from policies.document.kinds import KINDS
from tests.control_planes import make_plane, sqlite_url
from tests.unit.policies.document.schemas.full_documents import full


@pytest.fixture
def plane(tmp_path):
    return make_plane(sqlite_url(tmp_path))


def test_what_is_listed_is_there_and_takes_its_kind(plane):
    items = plane.call("GET", "/v1/policy-schemas", "author").json["items"]
    assert [item["kind"] for item in items] == ["any", *KINDS]
    for item in items:
        answer = plane.call("GET", item["href"], "author")
        assert (answer.status_code, answer.content_type) == (200, "application/schema+json")
        schema = answer.get_json(force=True)
        assert (schema["$id"], schema["title"]) == (item["id"], item["title"])
        kind = "limits" if item["kind"] == "any" else item["kind"]
        assert jsonschema_rs.Draft202012Validator(schema).is_valid(full(kind))


def test_of_a_kind_that_there_is_not_there_is_none(plane):
    answer = plane.call("GET", "/v1/policy-schemas/firewall", "author")
    assert (answer.status_code, answer.json["code"]) == (404, "kind-unknown")
