# SPDX-License-Identifier: Apache-2.0
"""What `serve` is told on its command line, checked once."""

import ipaddress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

DEFAULT_QUEUE_SIZE: Final = 64


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


@dataclass(frozen=True, slots=True, kw_only=True)
class ServingSettings:
    """What is served, wherever it is reached: of this alone the application is built."""

    models: tuple[ModelSettings, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeSettings:
    """What is served, and where this process listens."""

    serving: ServingSettings
    host: str
    port: int
    tls: TlsFiles | None


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


def require_protection(*, tls: TlsFiles | None, host: str, insecure_loopback: bool) -> None:
    """Refuses to serve in clear text, except on the loopback address and when asked to by name."""
    if tls is not None:
        return
    if not insecure_loopback:
        raise SettingsWrong(
            "no TLS: give --tls-cert, --tls-key and --client-ca, or --insecure-loopback for a loopback address"
        )
    if not _is_loopback(host):
        raise SettingsWrong("--insecure-loopback serves a loopback address only: use --host 127.0.0.1, or TLS")


def _is_loopback(host: str) -> bool:
    # A name is not taken: what it resolves to is somebody else's decision.
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
