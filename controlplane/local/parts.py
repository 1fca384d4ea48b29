# SPDX-License-Identifier: Apache-2.0
"""The parts of one Gatehouse on one machine: which command each is, with which settings, and when it is healthy."""

import socket
import ssl
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import httpx

from controlplane.local.home import Home
from controlplane.local.materials import SIGNING_KEY_ID
from controlplane.services.errors import LOG_ALTERED

MODELS: Final = ("parrot", "parrot-restricted")

# The node's settings that `gatehouse run` leaves to the caller's environment. All others follow from the home.
NODE_OPTIONS: Final = (
    "GATEHOUSE_ISSUER_CA_FILE",
    "GATEHOUSE_MAX_CONNECTIONS",
    "GATEHOUSE_MAX_REQUESTS",
    "GATEHOUSE_MAX_STALENESS_S",
    "GATEHOUSE_OTLP_ENDPOINT",
    "GATEHOUSE_OTLP_INTERVAL_S",
    "GATEHOUSE_PROXY_CERT_FILE",
    "GATEHOUSE_PROXY_CLIENT_CA_FILE",
    "GATEHOUSE_PROXY_HOSTS",
    "GATEHOUSE_PROXY_KEY_FILE",
    "GATEHOUSE_REDIS_URL",
    "GATEHOUSE_SCREEN_API_KEY_FILE",
    "GATEHOUSE_SCREEN_CA_FILE",
    "GATEHOUSE_SCREEN_CERT_FILE",
    "GATEHOUSE_SCREEN_KEY_FILE",
    "GATEHOUSE_SCREEN_URL",
    "GATEHOUSE_SPOOL_MAX_BYTES",
    "GATEHOUSE_SPOOL_RESERVE_BYTES",
    "GATEHOUSE_UPSTREAMS_FILE",
    "GATEHOUSE_UPSTREAM_CA_FILE",
    "GATEHOUSE_UPSTREAM_CERT_FILE",
    "GATEHOUSE_UPSTREAM_FIRST_BYTE_S",
    "GATEHOUSE_UPSTREAM_IDLE_S",
    "GATEHOUSE_UPSTREAM_KEY_FILE",
    "GATEHOUSE_UPSTREAM_TOTAL_S",
)

# The control plane's, likewise.
CONTROL_PLANE_OPTIONS: Final = (
    "GATEHOUSE_DATABASE_URL",
    "GATEHOUSE_EXPORT_DIR",
    "GATEHOUSE_EXPORT_MAX_BYTES",
    "GATEHOUSE_LOG_NAME",
    "GATEHOUSE_METRICS_HOST",
    "GATEHOUSE_METRICS_PORT",
    "GATEHOUSE_OTLP_ENDPOINT",
    "GATEHOUSE_SINKS_FILE",
    "GATEHOUSE_WITNESSES",
)

# A part answers its health question within microseconds when it is well; longer means that it is not.
_HEALTH_TIMEOUT_S: Final = 2.0


def free_port() -> int:
    """Return a loopback port that is free now. The part binds it a moment later; a clash shows as a failed start."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSettings:
    """What `gatehouse run` was asked for. `upstream` is an origin; None stands for the demonstration model here.

    `node_options`: those of NODE_OPTIONS that the caller's environment has; `control_plane_options` likewise.
    """

    home: Home
    api_port: int
    proxy_port: int
    upstream: str | None
    upstream_key_file: Path | None
    opa: Path | None
    workers: int | None
    health_port: int = field(default_factory=free_port)
    node_options: Mapping[str, str] = field(default_factory=dict)
    metrics_port: int = field(default_factory=free_port)
    control_plane_options: Mapping[str, str] = field(default_factory=dict)

    @property
    def api_url(self) -> str:
        return f"http://127.0.0.1:{self.api_port}"

    @property
    def proxy_url(self) -> str:
        scheme = "https" if self.node_options.get("GATEHOUSE_PROXY_CERT_FILE") else "http"
        return f"{scheme}://127.0.0.1:{self.proxy_port}"

    @property
    def health_url(self) -> str:
        return f"http://127.0.0.1:{self.health_port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One process to keep running. `is_healthy` never raises and blocks for at most a few seconds."""

    name: str
    argv: tuple[str, ...]
    environment: Mapping[str, str]
    address: str
    is_healthy: Callable[[], bool]
    # A part that drains (the proxy finishes streams and ships its spool) is given that long after SIGTERM.
    stop_deadline_s: float = 10.0


def control_plane(settings: RunSettings) -> Part:
    home = settings.home
    environment = {
        "GATEHOUSE_METRICS_PORT": str(settings.metrics_port),
        "GATEHOUSE_EXPORT_DIR": str(home.root / "exports"),
        "GATEHOUSE_DATABASE_URL": f"sqlite:///{home.database}",
        **settings.control_plane_options,
        "GATEHOUSE_API_HOST": "127.0.0.1",
        "GATEHOUSE_API_PORT": str(settings.api_port),
        "GATEHOUSE_API_URL": settings.api_url,
        "GATEHOUSE_SIGNING_KEY_FILE": str(home.keys / "bundle-signing.pem"),
        "GATEHOUSE_KEY_PEPPER_FILE": str(home.keys / "key-pepper"),
        "GATEHOUSE_PSEUDONYM_KEY_FILE": str(home.keys / "pseudonym-key"),
        "GATEHOUSE_PAYLOAD_KEY_FILE": str(home.keys / "payload-key"),
        "GATEHOUSE_LOG_KEY_FILE": str(home.log_key),
        "GATEHOUSE_GUARD_ENGINE": "embedded" if settings.opa is None else "opa",
    }
    if settings.opa is not None:
        environment["GATEHOUSE_OPA_BINARY"] = str(settings.opa)
    return Part(
        name="controlplane",
        argv=(sys.executable, "-m", "controlplane"),
        environment=environment,
        address=settings.api_url,
        # One that refuses to sign an altered log still serves it, and takes records: it must not be kept from that.
        is_healthy=lambda: _answers_200(f"{settings.api_url}/readyz", or_says=LOG_ALTERED),
    )


def opa(settings: RunSettings) -> Part:
    home = settings.home
    return Part(
        name="opa",
        argv=(sys.executable, "-m", "proxy_addons.opa_pool"),
        environment={
            "GATEHOUSE_NODE_DIR": str(home.node),
            "GATEHOUSE_OPA_BINARY": str(settings.opa),
            "GATEHOUSE_BUNDLE_KEY_FILE": str(home.keys / "bundle-signing.pub.pem"),
            "GATEHOUSE_BUNDLE_KEY_ID": SIGNING_KEY_ID,
        },
        address=f"unix:{home.node / 'opa'}",
        # Whether OPA answers for the policy in force is the proxy's own readiness question.
        is_healthy=lambda: True,
    )


def inference(settings: RunSettings, *, port: int) -> Part:
    home = settings.home
    names = [argument for model in MODELS for argument in ("--name", model)]
    return Part(
        name="inference",
        argv=(
            *(sys.executable, "-m", "inference", "serve", "--model-dir", str(home.parrot), *names),
            *("--host", "127.0.0.1", "--port", str(port)),
            *("--tls-cert", str(home.ca / "inference.pem"), "--tls-key", str(home.ca / "inference.key")),
            *("--client-ca", str(home.ca / "ca.pem")),
        ),
        environment={"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"},
        address=f"https://127.0.0.1:{port}",
        is_healthy=lambda: _answers_200(f"https://127.0.0.1:{port}/readyz", home),
    )


def proxy(settings: RunSettings, *, upstream: str) -> Part:
    home = settings.home
    environment = {
        **settings.node_options,
        "GATEHOUSE_NODE_DIR": str(home.node),
        "GATEHOUSE_NODE_ID": "local",
        "GATEHOUSE_PROXY_HOST": "127.0.0.1",
        "GATEHOUSE_PROXY_PORT": str(settings.proxy_port),
        "GATEHOUSE_HEALTH_PORT": str(settings.health_port),
        "GATEHOUSE_API_URL": settings.api_url,
        "GATEHOUSE_AGENT_TOKEN_FILE": str(home.keys / "agent-token"),
        "GATEHOUSE_BUNDLE_KEY_FILE": str(home.keys / "bundle-signing.pub.pem"),
        "GATEHOUSE_BUNDLE_KEY_ID": SIGNING_KEY_ID,
        "GATEHOUSE_KEY_PEPPER_FILE": str(home.keys / "key-pepper"),
        "GATEHOUSE_PSEUDONYM_KEY_FILE": str(home.keys / "pseudonym-key"),
        "GATEHOUSE_GUARD_ENGINE": "embedded" if settings.opa is None else "opa",
        "GATEHOUSE_UPSTREAM_URL": upstream,
    }
    if settings.upstream is None:
        environment |= {
            "GATEHOUSE_UPSTREAM_CA_FILE": str(home.ca / "ca.pem"),
            "GATEHOUSE_UPSTREAM_CERT_FILE": str(home.ca / "proxy.pem"),
            "GATEHOUSE_UPSTREAM_KEY_FILE": str(home.ca / "proxy.key"),
        }
        if "GATEHOUSE_SCREEN_URL" not in settings.node_options:  # the server of the demonstration screens prompts too
            environment |= {
                "GATEHOUSE_SCREEN_URL": upstream,
                "GATEHOUSE_SCREEN_CA_FILE": str(home.ca / "ca.pem"),
                "GATEHOUSE_SCREEN_CERT_FILE": str(home.ca / "proxy.pem"),
                "GATEHOUSE_SCREEN_KEY_FILE": str(home.ca / "proxy.key"),
            }
    if settings.upstream_key_file is not None:
        environment["GATEHOUSE_UPSTREAM_API_KEY_FILE"] = str(settings.upstream_key_file)
    if settings.workers is not None:
        environment["GATEHOUSE_WORKERS"] = str(settings.workers)
    return Part(
        name="proxy",
        argv=(sys.executable, "-m", "proxy_addons"),
        environment=environment,
        address=settings.proxy_url,
        is_healthy=lambda: _answers_200(f"{settings.health_url}/readyz"),
        stop_deadline_s=25.0,
    )


def _answers_200(url: str, home: Home | None = None, *, or_says: str | None = None) -> bool:
    verify: ssl.SSLContext | bool = False
    if home is not None:
        verify = ssl.create_default_context(cafile=home.ca / "ca.pem")
        verify.load_cert_chain(home.ca / "proxy.pem", home.ca / "proxy.key")
    try:
        answer = httpx.get(url, timeout=_HEALTH_TIMEOUT_S, trust_env=False, verify=verify)
    except (httpx.HTTPError, OSError):
        return False
    return answer.status_code == httpx.codes.OK or (or_says is not None and _code(answer) == or_says)


def _code(answer: httpx.Response) -> str | None:
    try:
        problem = answer.json()
    except ValueError:
        return None
    return problem.get("code") if isinstance(problem, dict) else None
