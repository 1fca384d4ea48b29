# SPDX-License-Identifier: Apache-2.0
"""The one upstream of a worker: where it is, how its identity is verified, and what ours is."""

import ssl
from dataclasses import dataclass
from typing import Final, Self
from urllib.parse import urlsplit

from proxy_addons.upstreams_file import UpstreamSettings

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamOrigin:
    """`host_field` is the value of `Host`. `api_key` is empty where the upstream wants none."""

    scheme: str
    host: str
    port: int
    host_field: bytes
    tls: ssl.SSLContext | None
    api_key: str

    @property
    def scheme_bytes(self) -> bytes:
        return b"http" if self.tls is None else b"https"

    @classmethod
    def from_settings(cls, settings: UpstreamSettings) -> Self:
        """Read the files that `settings` names. Raises ValueError or OSError where one is unusable."""
        url = urlsplit(settings.url)
        if url.scheme not in _DEFAULT_PORTS or not url.hostname or url.path not in ("", "/") or url.query:
            raise ValueError("the upstream must be an origin such as https://inference.example:8443")
        api_key = settings.api_key_file.read_text().strip() if settings.api_key_file else ""
        if not api_key.isascii() or (api_key and not api_key.isprintable()):
            raise ValueError("the upstream's API key is not one line of printable ASCII")
        return cls(
            scheme=url.scheme,
            host=url.hostname,
            port=url.port or _DEFAULT_PORTS[url.scheme],
            host_field=url.netloc.rpartition("@")[2].encode("ascii"),
            tls=_context(settings) if url.scheme == "https" else None,
            api_key=api_key,
        )


def _context(settings: UpstreamSettings) -> ssl.SSLContext:
    """Return a context that checks the chain and the host name or address, with our certificate if we have one."""
    context = ssl.create_default_context(cafile=settings.ca_file)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    if settings.cert_file is not None:
        context.load_cert_chain(settings.cert_file, settings.key_file)
    return context
