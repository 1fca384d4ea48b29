# SPDX-License-Identifier: Apache-2.0
import json
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from controlplane.cli import fleet as under_test

NODE = {
    "kind": "node",
    "id": "edge-1",
    "environment": "production",
    "live": True,
    "serial": 6,
    "desired_serial": 7,
    "lag_s": 12,
    "spool_depth": 3,
    "dropped": None,
    "missing": 2,
    "credentials_behind": 1,
    "revocations_behind": 0,
    "document_behind": None,
    "problem": "canary-failed",
    "findings": ["tls"],
}
FINDING = {
    "id": "fnd_1",
    "environment": "production",
    "node": "edge-1",
    "check": "tls",
    "detail": "certificate-expired",
    "opened_at": "2026-11-20T12:00:00Z",
    "closed_at": None,
}


class Api:
    def __init__(self):
        self.calls = []

    def get(self, path, query):
        self.calls.append((path, query))
        return SimpleNamespace(body={"items": [NODE]})

    def every(self, path, query):
        self.calls.append((path, query))
        yield FINDING


@pytest.fixture
def api(monkeypatch):
    api = Api()
    monkeypatch.setattr(under_test, "api", lambda _role: api)
    return api


def run(*arguments):
    result = CliRunner().invoke(under_test.fleet, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_a_row_says_what_is_wrong(api):
    head, row = run("--environment", "production").splitlines()
    assert head.split()[0] == "KIND"
    cells = "node edge-1 production yes 6 7 12 s 3 2 credentials 1 canary-failed,tls"
    assert row.split() == cells.split()
    assert api.calls == [("/v1/fleet", {"environment": "production"})]


def test_json_is_what_the_api_says(api):
    assert json.loads(run("--json")) == {"items": [NODE]}
    assert api.calls == [("/v1/fleet", {})]


def test_open_findings_are_listed(api):
    assert "certificate-expired" in run("findings", "--check", "tls")
    assert api.calls == [("/v1/findings", {"state": "open", "check": "tls"})]
    assert json.loads(run("findings", "--state", "all", "--json")) == {"items": [FINDING]}
