# SPDX-License-Identifier: Apache-2.0
"""What `serve` is told on its command line, checked once."""

import ipaddress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

DEFAULT_QUEUE_SIZE: Final = 64
_OPEN: Final = "no TLS: give --tls-cert, --tls-key and --client-ca, or --socket, or --insecure-loopback for development"
_ANYBODY: Final = "anybody could connect: give --client-ca, the CA of the proxy's certificate"


class SettingsWrong(Exception):
    """The command line asks for something that must not be. The text names the option and the fix."""


class ModelRefused(Exception):
    """The model directory cannot be served. The text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsFiles:
    certificate: Path
    key: Path
    client_ca: Path | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSettings:
    """One model: where it lies, what clients call it, and its limits."""

    names: tuple[str, ...]
    directory: Path
    queue_size: int = DEFAULT_QUEUE_SIZE
    max_context: int | None = None
    max_running: int | None = None
    kv_cache_mib: int | None = None


Classifier = Literal["auto", "minilm", "ngram"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServingSettings:
    """What is served, wherever it is reached: of this alone the application is built.

    `screen` is the prompt screen's classifier, or None without a screen.
    """

    models: tuple[ModelSettings, ...]
    screen: Classifier | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TcpListen:
    """`tls` is None with `--insecure-loopback` only. `client_names`: of any client of the CA, if there are none."""

    host: str
    port: int
    tls: TlsFiles | None
    client_names: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class UnixListen:
    path: Path
    group: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeSettings:
    """What is served, and where this process listens: at an address (`listen`), or on a Unix socket."""

    serving: ServingSettings
    listen: TcpListen | UnixListen
    metrics_host: str
    metrics_port: int
    user: str | None = None


def tls_files(*, certificate: Path | None, key: Path | None, client_ca: Path | None) -> TlsFiles | None:
    """The TLS part of the command line: whole, or absent."""
    if certificate is None and key is None and client_ca is None:
        return None
    if certificate is None or key is None:
        raise SettingsWrong("--tls-cert and --tls-key belong together: give both")
    for option, path in (("--tls-cert", certificate), ("--tls-key", key), ("--client-ca", client_ca)):
        if path is not None and not path.is_file():
            raise SettingsWrong(f"{option} names no file: {path}")
    return TlsFiles(certificate=certificate, key=key, client_ca=client_ca)


def tcp_listen(
    *, host: str, port: int, tls: TlsFiles | None, client_names: frozenset[str], insecure_loopback: bool
) -> TcpListen:
    """An address to listen on. Refused is every one that anybody but the proxy could reach.

    `--insecure-loopback` lets go of TLS, or of the client's certificate, for a loopback address.
    """
    if client_names and (tls is None or tls.client_ca is None):
        raise SettingsWrong("--client-name names clients of --client-ca: give both, with --tls-cert and --tls-key")
    if tls is None or tls.client_ca is None:
        if not insecure_loopback:
            raise SettingsWrong(_OPEN if tls is None else _ANYBODY)
        if not is_loopback(host):
            raise SettingsWrong("--insecure-loopback serves a loopback address only: use --host 127.0.0.1, or TLS")
    return TcpListen(host=host, port=port, tls=tls, client_names=client_names)


def is_loopback(host: str) -> bool:
    """Whether it is a loopback address, as a number. A name is not taken: what it means is somebody else's decision."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
