# SPDX-License-Identifier: Apache-2.0
"""A served control plane as its operators see it: what Prometheus reads, what a collector gets, and what neither gets."""

import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.otlp import attributes, collector
from tests.records import make_record
from tests.served_control_planes import (
    BUNDLE,
    TOKENS,
    activate,
    another_port,
    initialise,
    make_environment,
    make_release,
    served,
    until,
)

TRACE, PARENT = "a1" * 16, "b2" * 8


@pytest.fixture
def environment(tmp_path):
    made = make_environment(tmp_path)
    assert initialise(made).returncode == 0
    return made


def scrape(port: int) -> str:
    answer = httpx.get(f"http://127.0.0.1:{port}/metrics", trust_env=False, timeout=10)
    assert answer.status_code == 200
    return answer.text


def test_what_happened_is_counted(environment, free_port):
    port = another_port()
    with served(environment | {"GATEHOUSE_METRICS_PORT": str(port)}, free_port) as api:
        release = make_release(api)
        activate(api, release)
        line = make_record().to_line()
        for body in (line, line + b"no record\n"):
            sent = api.call(
                "POST", "/v1/records", "agent", content=body, headers={"Content-Type": "application/x-ndjson"}
            )
            assert sent.status_code == 200, sent.text
        api.call("POST", "/v1/policy-sets/default/releases", "author", json={"policies": {"chat-access": "sha256-0"}})
        status = {"node_id": "edge-1", "version": "1", "workers": [], "guard_engine": "opa"}
        assert api.call("POST", "/v1/agents/edge-1/status", "agent", json=status).status_code == 200
        bundle = api.call("GET", BUNDLE, "agent")
        with ThreadPoolExecutor(3) as threads:
            parked = [threads.submit(api.park, BUNDLE, bundle.headers["ETag"], wait_s=20) for _ in range(3)]
            until(lambda: "gatehouse_controlplane_feed_waiters 3.0" in scrape(port))
            activate(api, release)
            assert {future.result()[0].status_code for future in parked} == {200}
        page = scrape(port)
        assert api.call("GET", "/metrics", "admin").status_code == 404
    name = "gatehouse_controlplane"
    for shown in (
        f'{name}_requests_total{{method="POST",route="/v1/agents/{{node_id}}/status",status="2xx"}} 1.0',
        f'{name}_requests_total{{method="GET",route="/opa/v1/{{environment}}/bundles/gatehouse.tar.gz",status="2xx"}} 4.0',
        f'{name}_records_total{{outcome="stored"}} 1.0',
        f'{name}_records_total{{outcome="duplicate"}} 1.0',
        f'{name}_records_total{{outcome="quarantined"}} 1.0',
        f"{name}_feed_waiters 0.0",
        f'{name}_releases_total{{outcome="made"}} 1.0',
        f'{name}_activations_total{{outcome="made"}} 2.0',
        f"{name}_store_up 1.0",
        f'{name}_serial{{environment="production",tenant="default"}} 2.0',
        f'{name}_nodes{{environment="production",tenant="default"}} 1.0',
    ):
        assert shown in page, shown


def test_a_request_is_a_span_and_no_word_of_it_leaves(environment, free_port):
    port = another_port()
    canaries = ["CANARY", *TOKENS.values(), "user:alice", "alice", "chat-access", "parrot"]
    with collector() as found:
        settings = {"GATEHOUSE_METRICS_PORT": str(port), "GATEHOUSE_OTLP_ENDPOINT": found.url}
        with served(environment | settings, free_port) as api:
            activate(api, make_release(api))
            told = {
                "traceparent": f"00-{TRACE}-{PARENT}-01",
                "tracestate": "a=CANARY",
                "baggage": "b=CANARY",
                "User-Agent": "CANARY",
            }
            api.call("GET", "/v1/policies/CANARY?cursor=CANARY", "author", headers=told)
            api.call("POST", "/v1/policies", "author", json={"source": "kind: CANARY"})
            api.call("GET", "/CANARY?CANARY", "author")
            blocked = api.call("PUT", "/v1/blocked-subjects/user:alice", "admin")
            assert blocked.is_success, blocked.text
            key = api.call("POST", "/v1/api-keys", "admin", json={"subject": "user:bob"})
            assert key.status_code == 201, key.text
            canaries += ["bob", key.json()["key"], key.json()["id"]]
            page = scrape(port)
            api.process.send_signal(signal.SIGTERM)
            assert api.process.wait(timeout=20) == 0
        spans = found.spans()
        sent = b"".join(found.bodies).decode("latin-1") + "".join(found.headers) + str(found.requests())
    assert [canary for canary in canaries if canary in sent + page] == []
    (child,) = [span for span in spans if span.trace_id.hex() == TRACE]
    assert child.parent_span_id.hex() == PARENT
    assert child.trace_state == ""
    assert child.name == "GET /v1/policies/{policy_id}"
    assert attributes(child) == {
        "http.request.method": "GET",
        "http.route": "/v1/policies/{policy_id}",
        "http.response.status_code": 404,
    }
    assert {"POST /v1/policies", "POST /v1/activations", "GET"} <= {span.name for span in spans}


def test_a_collector_that_is_gone_holds_nothing_up(environment, free_port):
    settings = {"GATEHOUSE_OTLP_ENDPOINT": f"http://127.0.0.1:{another_port()}"}
    with served(environment | settings, free_port) as api:
        for _ in range(20):
            assert api.call("GET", "/v1/policies", "author").status_code == 200
        api.process.send_signal(signal.SIGTERM)
        # Below what `gatehouse run` waits before it kills.
        assert api.process.wait(timeout=10) == 0


def test_without_a_collector_the_sdk_is_not_loaded():
    script = (
        "import sys, controlplane.__main__; print([name for name in sys.modules if name.startswith('opentelemetry')])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"


def test_a_metrics_port_that_is_the_apis_ends_the_start_with_its_name(environment, free_port):
    command = [sys.executable, "-m", "controlplane"]
    given = environment | {"GATEHOUSE_API_PORT": str(free_port), "GATEHOUSE_METRICS_PORT": str(free_port)}
    done = subprocess.run(command, env=given, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "GATEHOUSE_METRICS_PORT" in done.stderr
