# SPDX-License-Identifier: Apache-2.0
"""Without a collector there are no traces, and nothing of OpenTelemetry in a worker."""

import subprocess
import sys

from proxy_addons.addons.trace import Trace
from proxy_addons.settings import NodeSettings
from proxy_addons.worker_traces import open_traces
from tests.node_collector import running_collector


def settings(tmp_path, **more):
    secret = tmp_path / "secret"
    secret.write_text("ab" * 32)
    files = ("AGENT_TOKEN_FILE", "BUNDLE_KEY_FILE", "KEY_PEPPER_FILE", "PSEUDONYM_KEY_FILE")
    return NodeSettings.read(
        {
            "GATEHOUSE_NODE_DIR": str(tmp_path),
            "GATEHOUSE_PROXY_PORT": "8000",
            "GATEHOUSE_HEALTH_PORT": "8001",
            "GATEHOUSE_API_URL": "http://127.0.0.1:8080",
            "GATEHOUSE_UPSTREAM_URL": "http://127.0.0.1:8081",
            **{f"GATEHOUSE_{name}": str(secret) for name in files},
            **more,
        }
    )


async def test_without_a_collector_there_is_no_addon(tmp_path):
    traces = open_traces(settings(tmp_path), 0)
    assert traces.addon is None
    await traces.close()


async def test_with_a_collector_there_is_one(tmp_path):
    with running_collector() as collector:
        traces = open_traces(settings(tmp_path, GATEHOUSE_OTLP_ENDPOINT=collector.url), 0)
        assert isinstance(traces.addon, Trace)
        await traces.close()


def test_neither_worker_nor_node_imports_the_sdk():
    program = (
        "import sys, proxy_addons.worker_main, proxy_addons.__main__;"
        "print([name for name in sys.modules if name.startswith(('opentelemetry.sdk', 'opentelemetry.exporter'))])"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout == "[]\n"
