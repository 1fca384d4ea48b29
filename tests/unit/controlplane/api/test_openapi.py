# SPDX-License-Identifier: Apache-2.0
"""The OpenAPI document is committed, so that a change of the API is read in review; and the documentation is served."""

import json
import re
from pathlib import Path

import pytest
from openapi_spec_validator import validate

from controlplane.api.evaluation_docs import REFUSAL
from tests.control_planes import make_plane, sqlite_url

GOLDEN = Path(__file__).resolve().parents[3] / "golden" / "openapi.json"


@pytest.fixture
def under_test(tmp_path):
    return make_plane(sqlite_url(tmp_path))


def test_the_document_is_the_committed_one(under_test, update_golden):
    document = under_test.call("GET", "/openapi.json", None).json
    validate(document)
    assert document["openapi"].startswith("3.1")
    text = json.dumps(document, indent=1, sort_keys=True) + "\n"
    if update_golden:
        GOLDEN.write_text(text)
    assert text == GOLDEN.read_text()


def test_the_documentation_shows_every_endpoint_and_runs_nothing(under_test):
    answer = under_test.call("GET", "/docs", None)
    assert answer.status_code == 200
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert "<script" not in answer.text
    assert "list of any" not in answer.text
    assert " style=" not in answer.text
    assert all(link[0] in "/#" and link[:2] != "//" for link in re.findall(r'(?:href|src)="([^"]*)"', answer.text))
    assert set(re.findall(r'href="#([^"]*)"', answer.text)) <= set(re.findall(r' id="([^"]*)"', answer.text))
    for path in under_test.call("GET", "/openapi.json", None).json["paths"]:
        assert path in answer.text
    assert under_test.call("GET", "/docs/style.css", None).content_type.startswith("text/css")


@pytest.mark.parametrize(
    ("method", "path", "arguments", "want"),
    [
        pytest.param("GET", "/nowhere", {}, (404, "not-found"), id="unknown path"),
        pytest.param("PUT", "/v1/policies", {}, (405, "method-not-allowed"), id="unknown method"),
        pytest.param("OPTIONS", "/v1/policies", {}, (405, "method-not-allowed"), id="options"),
        pytest.param("POST", "/v1/policies", {"data": "x"}, (415, "media-type-not-permitted"), id="no media type"),
        pytest.param(
            "POST",
            "/v1/api-keys",
            {"data": b" " * 70_000, "content_type": "application/json"},
            (413, "body-too-large"),
            id="too large",
        ),
        pytest.param("POST", "/v1/policies", {"json": {"surce": "x"}}, (400, "body-invalid"), id="unknown member"),
    ],
)
def test_every_refusal_is_problem_details(under_test, method, path, arguments, want):
    answer = under_test.call(method, path, "admin" if "keys" in path else "author", **arguments)
    problem = json.loads(answer.data)
    assert (answer.status_code, problem["code"]) == want
    assert answer.content_type == "application/problem+json"
    assert problem["status"] == answer.status_code
    assert problem["request_id"] == answer.headers["X-Request-Id"]


def test_what_was_not_foreseen_tells_the_client_nothing(under_test, monkeypatch):
    def fail(*_, **__):
        raise RuntimeError("the secret is in here")

    monkeypatch.setattr(type(under_test.plane.policies), "page", fail)
    answer = under_test.call("GET", "/v1/policies", "author")
    assert (answer.status_code, answer.json["code"]) == (500, "internal-error")
    assert "secret" not in answer.text


def test_the_documentation_names_if_match_bodies_and_every_refusal(under_test):
    document = under_test.call("GET", "/openapi.json", None).json
    revise = document["paths"]["/v1/policies/{policy_id}/revisions"]["post"]
    assert [each["name"] for each in revise["parameters"]] == ["If-Match", "Idempotency-Key"]
    activate = document["paths"]["/v1/activations"]["post"]
    assert [each["name"] for each in activate["parameters"]] == ["validate_only", "If-Match", "Idempotency-Key"]
    assert {"400", "401", "403", "404", "412", "422", "428", "503"} <= revise["responses"].keys()
    assert revise["responses"]["201"]["headers"].keys() == {"ETag", "Location"}
    assert "application/x-ndjson" in document["paths"]["/v1/records"]["post"]["requestBody"]["content"]
    for operations in document["paths"].values():
        for method, operation in operations.items():
            refused = {} if method == "parameters" else operation["responses"]
            for status in refused.keys() - {"200", "201", "202", "204", "304"}:
                assert refused[status]["$ref"] in ("#/components/responses/Problem", REFUSAL)


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/v1/policies/a/revisions/sha256:b", {"GET", "HEAD"}),
        ("GET", "/v1/policies/a/revisions/sha256:b:validate", {"POST"}),
        ("PATCH", "/v1/policies/a", {"GET", "HEAD", "DELETE"}),
    ],
)
def test_a_refused_method_is_told_those_that_there_are(under_test, method, path, allowed):
    answer = under_test.call(method, path, "author")
    assert answer.status_code == 405
    assert set(answer.headers["Allow"].split(", ")) == allowed
