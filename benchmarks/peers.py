# SPDX-License-Identifier: Apache-2.0
"""Other people's gateways, each as its makers say to start it, before the same upstream on the same core.

`make bench-peers` installs what a package index has, into `.tools/peers`; nginx is the distribution's. One that is not
there is left out by name.

Warning: none of them does what a Gatehouse node does here (decide, redact, record durably), and LiteLLM does things a
node does not (routing between providers, cost tracking). A ratio says what a deployment costs, not who is better.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from benchmarks.proxies import ROOT, Proxy, start, stop, until_listens, unused_port
from tests.signing import ALICE_KEY

_INSTALLED = ROOT / ".tools" / "peers"
_BIN = _INSTALLED / "venv" / "bin"
_PORTKEY = _INSTALLED / "node_modules" / "@portkey-ai" / "gateway" / "build" / "start-server.js"


@dataclass(frozen=True)
class Peer:
    """How one is started. `write` puts its configuration into a folder and returns its command."""

    name: str
    program: Path | None
    write: Callable[[Path, int, int], Sequence[str]]
    environment: Mapping[str, str] = field(default_factory=dict)
    fields: Callable[[int], Sequence[tuple[str, str]]] = lambda _: ()
    start_s: float = 30.0


def _nginx(folder: Path, port: int, upstream_port: int) -> Sequence[str]:
    (folder / "nginx.conf").write_text(f"""
        worker_processes 1; daemon off; pid {folder}/pid; error_log stderr error;
        events {{ worker_connections 4096; }}
        http {{
          access_log off; keepalive_requests 1000000000;
          client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/f;
          uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
          upstream model {{ server 127.0.0.1:{upstream_port}; keepalive 128; keepalive_requests 1000000000; }}
          server {{
            listen 127.0.0.1:{port} backlog=4096;
            location / {{
              proxy_pass http://model; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffering off;
            }}
          }}
        }}""")
    return [str(_program("nginx")), "-e", "stderr", "-p", str(folder), "-c", str(folder / "nginx.conf")]


def _envoy(folder: Path, port: int, upstream_port: int) -> Sequence[str]:
    def at(number: int) -> dict[str, object]:
        return {"socket_address": {"address": "127.0.0.1", "port_value": number}}

    manager = "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
    router = "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"
    http = {
        "@type": manager,
        "stat_prefix": "in",
        "route_config": {
            "virtual_hosts": [
                {"name": "all", "domains": ["*"], "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "model"}}]}
            ]
        },
        "http_filters": [{"name": "envoy.filters.http.router", "typed_config": {"@type": router}}],
    }
    listener = {
        "name": "in",
        "address": at(port),
        "filter_chains": [
            {"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": http}]}
        ],
    }
    cluster = {
        "name": "model",
        "type": "STATIC",
        "connect_timeout": "1s",
        "circuit_breakers": {"thresholds": [{"max_connections": 1024, "max_pending_requests": 4096}]},
        "load_assignment": {
            "cluster_name": "model",
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": at(upstream_port)}}]}],
        },
    }
    configuration = {"static_resources": {"listeners": [listener], "clusters": [cluster]}}
    (folder / "envoy.json").write_text(json.dumps(configuration))
    return [
        str(_BIN / "envoy"),
        *("--config-path", str(folder / "envoy.json"), "--concurrency", "1"),
        *("--log-level", "error", "--disable-hot-restart"),
    ]


def _litellm(folder: Path, port: int, upstream_port: int) -> Sequence[str]:
    # JSON is YAML. One worker, no database, one key: the least it can be told to do.
    parameters = {"model": "openai/parrot", "api_base": f"http://127.0.0.1:{upstream_port}/v1", "api_key": "none"}
    models = [{"model_name": "parrot", "litellm_params": parameters}]
    (folder / "config.yaml").write_text(
        json.dumps({"model_list": models, "general_settings": {"master_key": ALICE_KEY}})
    )
    return [
        str(_BIN / "litellm"),
        *("--config", str(folder / "config.yaml"), "--host", "127.0.0.1", "--port", str(port), "--num_workers", "1"),
    ]


def _portkey(folder: Path, port: int, upstream_port: int) -> Sequence[str]:  # noqa: ARG001  # told in each request
    return [str(_program("node")), str(_PORTKEY), f"--port={port}", "--headless"]


PEERS = (
    Peer("nginx", shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin") and Path("nginx"), _nginx),
    Peer("Envoy", _BIN / "envoy", _envoy),
    Peer(
        "Portkey",
        _PORTKEY,
        _portkey,
        environment={"NODE_ENV": "production"},
        fields=lambda upstream_port: (
            ("x-portkey-provider", "openai"),
            ("x-portkey-custom-host", f"http://127.0.0.1:{upstream_port}/v1"),
        ),
    ),
    Peer(
        "LiteLLM",
        _BIN / "litellm",
        _litellm,
        environment={"LITELLM_LOG": "ERROR", "NO_PROXY": "*", "LITELLM_LOCAL_MODEL_COST_MAP": "True"},
        start_s=120.0,
    ),
)


def installed() -> list[Peer]:
    """Return the peers that can be started, having said which cannot."""
    found = []
    for peer in PEERS:
        if peer.program is None or not (peer.program.name == "nginx" or peer.program.exists()):
            print(f"{peer.name} is left out: not installed (`make bench-peers`; nginx from the distribution)")
        else:
            found.append(peer)
    return found


@contextmanager
def running(peer: Peer, folder: Path, upstream_port: int) -> Iterator[Proxy]:
    """Run `peer` with all its processes on the proxies' core."""
    folder.mkdir()
    port = unused_port()
    environment = dict(os.environ) | dict(peer.environment)
    with (folder / "log").open("wb") as log:
        process = start(peer.write(folder, port, upstream_port), environment, log, folder)
        try:
            until_listens(port, within_s=peer.start_s)
            time.sleep(1.0)  # children that are started after the port is open
            yield Proxy(peer.name, port, _processes(process), fields=tuple(peer.fields(upstream_port)))
        finally:
            stop(process)


def _processes(process: subprocess.Popen[bytes]) -> dict[str, psutil.Process]:
    parent = psutil.Process(process.pid)
    children = parent.children(recursive=True)
    return {"main": parent} | {f"child {number}": child for number, child in enumerate(children, 1)}


def _program(name: str) -> str:
    found = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin")
    if found is None:
        sys.exit(f"{name} is not installed")
    return found
