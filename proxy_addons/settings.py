# SPDX-License-Identifier: Apache-2.0
"""What a proxy node is told by its environment: read once at start, frozen, every variable checked.

`docs/reference/proxy-settings.md` is the table of these variables; a test compares it with what is read here.
"""

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from proxy_addons.environment import Environment, SettingInvalid, is_identifier
from proxy_addons.screen_settings import ScreenSettings, read_screen
from proxy_addons.upstreams_file import UpstreamSettings, read_upstreams

__all__ = ["DataPortTls", "Environment", "GuardEngineName", "Limits", "NodeSettings", "SettingInvalid", "is_identifier"]

# A feed answers at least every 30 s; two of its answers and an outage of a control plane's restart fit into this.
_LEAST_STALENESS_S: Final = 120
_A_DAY_S: Final = 24 * 60 * 60
_MIB: Final = 1024 * 1024


class GuardEngineName(StrEnum):
    """OPA: one stock OPA server for each bundle, kept by the pool. EMBEDDED: the Rego engine in the worker."""

    OPA = "opa"
    EMBEDDED = "embedded"

    @property
    def in_records(self) -> str:
        """The engine's name as decision records and the node's status give it."""
        return "opa" if self is GuardEngineName.OPA else "rego-embedded"


@dataclass(frozen=True, slots=True, kw_only=True)
class DataPortTls:
    """The files that the data port's TLS is read from, and read again from when they change."""

    cert_file: Path
    key_file: Path
    client_ca_file: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What an operator sets of `proxy_addons.http1.bounds`; counts are for each worker."""

    connections: int
    requests: int
    upstream_first_byte_s: int
    upstream_idle_s: int
    upstream_total_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeSettings:
    """Everything a node and its workers are told. Secrets stay in their files; only the paths are here."""

    node_dir: Path
    node_id: str
    proxy_host: str
    proxy_port: int
    proxy_hosts: frozenset[str]
    proxy_tls: DataPortTls | None
    health_host: str
    health_port: int
    workers: int
    api_url: str
    agent_token_file: Path
    bundle_key_file: Path | None
    bundle_key_id: str
    bundle_keys_dir: Path | None
    issuer_ca_file: Path | None
    key_pepper_file: Path
    pseudonym_key_file: Path
    upstream: UpstreamSettings
    upstreams: Mapping[str, UpstreamSettings]
    screen: ScreenSettings | None
    limits: Limits
    guard_engine: GuardEngineName
    tenant: str
    environment: str
    redis_url: str | None
    max_staleness_s: int
    otlp_endpoint: str | None
    otlp_interval_s: int
    spool_max_bytes: int
    spool_reserve_bytes: int

    @classmethod
    def read(cls, variables: Mapping[str, str]) -> "NodeSettings":
        """Return the settings in `variables`. Raises SettingInvalid for the first that is missing or wrong."""
        read = Environment(variables)
        cert_file, key_file = read.optional_file("UPSTREAM_CERT_FILE"), read.optional_file("UPSTREAM_KEY_FILE")
        if (cert_file is None) != (key_file is None):
            raise SettingInvalid("GATEHOUSE_UPSTREAM_CERT_FILE", "set it together with GATEHOUSE_UPSTREAM_KEY_FILE")
        keys_dir = read.text("BUNDLE_KEYS_DIR", "")
        return cls(
            node_dir=Path(read.text("NODE_DIR")).absolute(),
            node_id=read.identifier("NODE_ID", socket.gethostname()),
            proxy_host=read.text("PROXY_HOST", "127.0.0.1"),
            proxy_port=read.port("PROXY_PORT"),
            proxy_hosts=read.hosts("PROXY_HOSTS"),
            proxy_tls=_data_port_tls(read),
            health_host=read.text("HEALTH_HOST", "127.0.0.1"),
            health_port=read.port("HEALTH_PORT"),
            workers=read.integer("WORKERS", os.cpu_count() or 1, least=1, most=256),
            api_url=read.origin("API_URL"),
            agent_token_file=read.file("AGENT_TOKEN_FILE"),
            bundle_key_file=read.optional_file("BUNDLE_KEY_FILE") if keys_dir else read.file("BUNDLE_KEY_FILE"),
            bundle_key_id=read.identifier("BUNDLE_KEY_ID", "gatehouse-1"),
            bundle_keys_dir=Path(keys_dir) if keys_dir else None,
            issuer_ca_file=read.optional_file("ISSUER_CA_FILE"),
            key_pepper_file=read.file("KEY_PEPPER_FILE"),
            pseudonym_key_file=read.file("PSEUDONYM_KEY_FILE"),
            upstream=UpstreamSettings(
                url=read.origin("UPSTREAM_URL"),
                ca_file=read.optional_file("UPSTREAM_CA_FILE"),
                cert_file=cert_file,
                key_file=key_file,
                api_key_file=read.optional_file("UPSTREAM_API_KEY_FILE"),
            ),
            upstreams=_upstreams(read),
            screen=read_screen(read),
            limits=Limits(
                connections=read.integer("MAX_CONNECTIONS", 4096, least=1, most=1_000_000),
                requests=read.integer("MAX_REQUESTS", 1024, least=1, most=1_000_000),
                upstream_first_byte_s=read.integer("UPSTREAM_FIRST_BYTE_S", 120, least=1, most=_A_DAY_S),
                upstream_idle_s=read.integer("UPSTREAM_IDLE_S", 60, least=1, most=_A_DAY_S),
                upstream_total_s=read.integer("UPSTREAM_TOTAL_S", 600, least=1, most=_A_DAY_S),
            ),
            guard_engine=GuardEngineName(read.choice("GUARD_ENGINE", "opa", tuple(GuardEngineName))),
            tenant=read.identifier("TENANT", "default"),
            environment=read.identifier("ENVIRONMENT", "production"),
            redis_url=read.text("REDIS_URL", "") or None,
            max_staleness_s=_staleness(read),
            otlp_endpoint=read.optional_base_url("OTLP_ENDPOINT"),
            otlp_interval_s=read.integer("OTLP_INTERVAL_S", 60, least=1, most=3600),
            spool_max_bytes=read.integer("SPOOL_MAX_BYTES", 256 * _MIB, least=_MIB, most=2**50),
            spool_reserve_bytes=read.integer("SPOOL_RESERVE_BYTES", 4 * _MIB, least=_MIB // 16, most=2**30),
        )

    @property
    def bundles_dir(self) -> Path:
        return self.node_dir / "bundles"

    @property
    def credentials_file(self) -> Path:
        return self.node_dir / "credentials.jws"

    @property
    def revocations_file(self) -> Path:
        return self.node_dir / "revocations.jws"

    @property
    def issuer_keys_file(self) -> Path:
        return self.node_dir / "issuer-keys.json"

    @property
    def environment_file(self) -> Path:
        return self.node_dir / "environment.jws"

    @property
    def counters_file(self) -> Path:
        return self.node_dir / "counters" / "rates"

    def source_id(self, slot: int) -> str:
        """Return what the worker of `slot` is called in records, and in the choice of workers for a candidate."""
        return f"{self.node_id}/w{slot}"

    def spool_dirs(self, slot: int) -> tuple[Path, ...]:
        """The spools of a slot, in the order of preference: a worker and its successor write at the same time."""
        return tuple(self.node_dir / "spool" / name for name in (f"w{slot}", f"w{slot}-2", f"w{slot}-3"))


def _data_port_tls(read: Environment) -> DataPortTls | None:
    cert_file, key_file = read.optional_file("PROXY_CERT_FILE"), read.optional_file("PROXY_KEY_FILE")
    client_ca_file = read.optional_file("PROXY_CLIENT_CA_FILE")
    if cert_file is not None and key_file is not None:
        return DataPortTls(cert_file=cert_file, key_file=key_file, client_ca_file=client_ca_file)
    if cert_file is not None or key_file is not None:
        raise SettingInvalid("GATEHOUSE_PROXY_CERT_FILE", "set it together with GATEHOUSE_PROXY_KEY_FILE")
    if client_ca_file is not None:
        raise SettingInvalid(
            "GATEHOUSE_PROXY_CLIENT_CA_FILE", "needs GATEHOUSE_PROXY_CERT_FILE: clients show theirs in TLS"
        )
    return None


def _upstreams(read: Environment) -> dict[str, UpstreamSettings]:
    """Return the further upstreams by name. Raises SettingInvalid for a file that does not say what they are."""
    try:
        return read_upstreams(read.optional_file("UPSTREAMS_FILE"))
    except ValueError as exc:
        raise SettingInvalid("GATEHOUSE_UPSTREAMS_FILE", str(exc)) from exc


def _staleness(read: Environment) -> int:
    seconds = read.integer("MAX_STALENESS_S", 86_400, least=0, most=31_536_000)
    if 0 < seconds < _LEAST_STALENESS_S:
        raise SettingInvalid("GATEHOUSE_MAX_STALENESS_S", f"must be 0 (never stale) or at least {_LEAST_STALENESS_S}")
    return seconds
