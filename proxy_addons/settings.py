# SPDX-License-Identifier: Apache-2.0
"""What a proxy node is told by its environment: read once at start, frozen, every variable checked.

`docs/reference/proxy-settings.md` is the table of these variables; a test compares it with what is read here.
"""

import os
import re
import socket
import string
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from proxy_addons.upstreams_file import UpstreamSettings, read_upstreams

_PREFIX: Final = "GATEHOUSE_"
# What a node id may hold: it becomes part of a URL path and of every record's source.
_ID_CHARACTERS: Final = frozenset(string.ascii_letters + string.digits + "._-")
_LONGEST_ID: Final = 128
_LARGEST_PORT: Final = 65535
# A feed answers at least every 30 s; two of its answers and an outage of a control plane's restart fit into this.
_LEAST_STALENESS_S: Final = 120
_HOST: Final = re.compile(r"(?:[a-z0-9_][a-z0-9_.-]{0,253}|\[[0-9a-f:.]{2,45}\])(?::[0-9]{1,5})?")
_A_DAY_S: Final = 24 * 60 * 60
_MIB: Final = 1024 * 1024


class SettingInvalid(Exception):
    """A variable that is missing or wrong. The text names it and the fix, and never holds a secret."""

    def __init__(self, variable: str, problem: str) -> None:
        super().__init__(f"{variable}: {problem}")
        self.variable = variable


def is_identifier(text: str) -> bool:
    return 0 < len(text) <= _LONGEST_ID and _ID_CHARACTERS.issuperset(text) and text not in {".", ".."}


class GuardEngineName(StrEnum):
    """OPA: one stock OPA server for each bundle, kept by the pool. EMBEDDED: the Rego engine in the worker."""

    OPA = "opa"
    EMBEDDED = "embedded"

    @property
    def in_records(self) -> str:
        """The engine's name as decision records and the node's status give it."""
        return "opa" if self is GuardEngineName.OPA else "rego-embedded"


class Environment:
    """Reads single variables. Each reader raises SettingInvalid, with the variable's name and what to do."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        self._variables = variables

    def text(self, name: str, default: str | None = None) -> str:
        value = self._variables.get(_PREFIX + name, "")
        if value:
            return value
        if default is None:
            raise SettingInvalid(_PREFIX + name, "is not set; docs/reference/proxy-settings.md says what it holds")
        return default

    def identifier(self, name: str, default: str | None = None) -> str:
        value = self.text(name, default)
        if not is_identifier(value):
            raise SettingInvalid(_PREFIX + name, "must be 1 to 128 letters, digits, '.', '_' or '-'")
        return value

    def integer(self, name: str, default: int | None, *, least: int, most: int) -> int:
        value = self.text(name, None if default is None else str(default))
        if not (value.isascii() and value.isdigit() and least <= int(value) <= most):
            raise SettingInvalid(_PREFIX + name, f"must be a whole number from {least} to {most}")
        return int(value)

    def port(self, name: str) -> int:
        return self.integer(name, None, least=1, most=_LARGEST_PORT)

    def origin(self, name: str) -> str:
        """Read `http(s)://host[:port]`: no path, no user, no query, since each would be silently ignored or leaked."""
        value = self.text(name).removesuffix("/")
        try:
            parts = urlsplit(value)
            parts.port  # noqa: B018  # the property raises ValueError for a port that is none
        except ValueError:
            raise SettingInvalid(_PREFIX + name, "is not a URL") from None
        bare = not (parts.path or parts.query or parts.fragment or "@" in parts.netloc)
        if parts.scheme not in {"http", "https"} or not parts.hostname or not bare:
            raise SettingInvalid(_PREFIX + name, "must be an origin such as https://inference.example:8443")
        return value

    def optional_base_url(self, name: str) -> str | None:
        """Read `http(s)://host[:port][/path]`, to which paths are appended; None where it is not set."""
        value = self.text(name, "").rstrip("/")
        if not value:
            return None
        try:
            parts = urlsplit(value)
            bare = parts.port != 0 and not (parts.query or parts.fragment or "@" in parts.netloc)
        except ValueError:
            raise SettingInvalid(_PREFIX + name, "is not a URL") from None
        if parts.scheme not in {"http", "https"} or not parts.hostname or not bare:
            raise SettingInvalid(_PREFIX + name, "must be a URL such as http://collector.example:4318")
        return value

    def hosts(self, name: str) -> frozenset[str]:
        """Read host names, each with a port or without; none where it is not set."""
        names = [each.strip().lower() for each in self.text(name, "").split(",") if each.strip()]
        if not all(_HOST.fullmatch(each) for each in names):
            raise SettingInvalid(_PREFIX + name, "must be host names such as gateway.example,10.0.0.7:8443")
        return frozenset(names)

    def file(self, name: str) -> Path:
        path = Path(self.text(name))
        if not path.is_file():
            raise SettingInvalid(_PREFIX + name, "names no readable file")
        return path

    def optional_file(self, name: str) -> Path | None:
        return self.file(name) if self._variables.get(_PREFIX + name) else None

    def choice(self, name: str, default: str, of: tuple[str, ...]) -> str:
        value = self.text(name, default)
        if value not in of:
            raise SettingInvalid(_PREFIX + name, f"must be one of {', '.join(of)}")
        return value


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
