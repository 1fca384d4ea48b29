# SPDX-License-Identifier: Apache-2.0
"""A stock OPA, configured as its documentation says, takes our bundles from the feed and follows activations."""

import json
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.served_control_planes import (
    TOKENS,
    Served,
    activate,
    another_port,
    initialise,
    make_environment,
    make_release,
    public_key,
    served,
    until,
)

pytestmark = pytest.mark.opa

GUARD = """\
kind: guard
id: caps
version: "{version}"
spec:
  reasons: {{too-many: "No more than this."}}
  data: {{max_tokens: {most}}}
  module: |
    package gatehouse.guard.caps
    deny contains "too-many" if input.request.max_tokens > data.gatehouse.guard_data.caps.max_tokens
"""


def configuration(environment: dict[str, str], api: Served, token: str) -> dict[str, object]:
    return {
        "services": {"gatehouse": {"url": f"{api.url}/opa/v1/production", "credentials": {"bearer": {"token": token}}}},
        "keys": {"gatehouse-1": {"algorithm": "ES256", "key": public_key(environment).decode(), "scope": "read"}},
        "bundles": {
            "gatehouse": {
                "service": "gatehouse",
                "resource": "bundles/gatehouse.tar.gz",
                "polling": {"long_polling_timeout_seconds": 20, "min_delay_seconds": 1, "max_delay_seconds": 2},
                "signing": {"keyid": "gatehouse-1", "scope": "read"},
            },
        },
    }


class Asked:
    """A running OPA and what it says."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"

    def answer(self, max_tokens: int) -> dict[str, object]:
        question = {"input": {"request": {"max_tokens": max_tokens}}}
        path = "/v1/data/gatehouse/main?provenance=true"
        try:
            return httpx.post(self.url + path, json=question, trust_env=False).json()
        except httpx.TransportError:
            return {}

    def denies(self, max_tokens: int) -> bool:
        answer = self.answer(max_tokens)
        return "result" in answer and bool(answer["result"]["guards"]["caps"]["deny"])

    def revision(self) -> str | None:
        bundles = self.answer(0).get("provenance", {}).get("bundles", {})
        return bundles.get("gatehouse", {}).get("revision")


@contextmanager
def stock_opa(binary: Path, folder: Path, settings: dict[str, object]) -> Iterator[Asked]:
    port = another_port()
    (folder / "opa.json").write_text(json.dumps(settings))
    command = [str(binary), "run", "--server", "--addr", f"127.0.0.1:{port}", "--config-file", "opa.json"]
    process = subprocess.Popen(
        [*command, "--skip-version-check", "--log-level", "error"],
        cwd=folder,
        env={"PATH": os.defpath, "HOME": str(folder)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield Asked(port)
    finally:
        process.kill()
        process.wait()


def test_it_loads_the_bundle_and_follows_an_activation(tmp_path, free_port, opa_binary):
    environment = make_environment(tmp_path) | {"GATEHOUSE_OPA_BINARY": str(opa_binary)}
    assert initialise(environment).returncode == 0
    with served(environment, free_port) as api:
        created = api.call("POST", "/v1/policies", "author", json={"source": GUARD.format(version=1, most=512)})
        assert created.status_code == 201, created.text
        activate(api, make_release(api))
        with stock_opa(opa_binary, tmp_path, configuration(environment, api, TOKENS["agent"])) as opa:
            until(lambda: opa.denies(513))
            assert not opa.denies(512)
            first = opa.revision()
            revised = api.call(
                "POST",
                "/v1/policies/caps/revisions",
                "author",
                json={"source": GUARD.format(version=2, most=100)},
                headers={"If-Match": created.headers["ETag"]},
            )
            assert revised.status_code == 201, revised.text
            activate(api, make_release(api))
            activated_at = time.monotonic()
            until(lambda: opa.denies(512))
            # OPA holds a request open, so that it need not wait for its next poll.
            assert time.monotonic() - activated_at < 5
            assert first is not None
            assert first.startswith("1+sha256:")
            assert str(opa.revision()).startswith("2+sha256:")


def test_it_gets_nothing_with_a_token_of_another_role(tmp_path, free_port, opa_binary):
    environment = make_environment(tmp_path) | {"GATEHOUSE_OPA_BINARY": str(opa_binary)}
    assert initialise(environment).returncode == 0
    with served(environment, free_port) as api:
        activate(api, make_release(api))
        with stock_opa(opa_binary, tmp_path, configuration(environment, api, TOKENS["auditor"])) as opa:
            until(lambda: opa.answer(0) != {})
            time.sleep(2)
            assert opa.revision() is None


def test_its_decisions_and_its_status_arrive(tmp_path, free_port, opa_binary):
    environment = make_environment(tmp_path) | {"GATEHOUSE_OPA_BINARY": str(opa_binary)}
    assert initialise(environment).returncode == 0
    with served(environment, free_port) as api:
        assert api.call("POST", "/v1/policies", "author", json={"source": GUARD.format(version=1, most=512)}).is_success
        activate(api, make_release(api))
        reporting = {"min_delay_seconds": 1, "max_delay_seconds": 1, "upload_size_limit_bytes": 1048576}
        settings = configuration(environment, api, TOKENS["agent"]) | {
            "decision_logs": {"service": "gatehouse", "reporting": reporting},
            "status": {"service": "gatehouse", "partition_name": "prod"},
            "labels": {"site": "test"},
        }
        with stock_opa(opa_binary, tmp_path, settings) as opa:
            until(lambda: opa.denies(513))
            for most in range(40):
                opa.answer(most)
            until(lambda: len(instances(api)) == 1 and instances(api)[0]["bundles"][0]["active_revision"] is not None)
            until(lambda: len(decisions_of_opa(api)) >= 41)
        (known,) = instances(api)
        assert known["version"].startswith("1.")
        assert (known["live"], known["dropped"]) == (True, 0)
        items = decisions_of_opa(api)
        assert len({item["request_id"] for item in items}) == len(items)


def instances(api: Served) -> list[dict[str, Any]]:
    return api.call("GET", "/v1/opa-instances", "auditor").json()["items"]


def decisions_of_opa(api: Served) -> list[dict[str, Any]]:
    return api.call("GET", "/v1/decisions?kind=opa&limit=500", "auditor").json()["items"]
