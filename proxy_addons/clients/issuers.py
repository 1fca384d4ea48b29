# SPDX-License-Identifier: Apache-2.0
"""Asking a token issuer for its public keys: the node's only calls to a place that policy names.

Rules: every call has a deadline and a size limit, verifies TLS, ignores the environment's proxies, sends no cookie and
follows no redirect: keys come from the URL that policy or the issuer's own configuration states, or not at all.
"""

import asyncio
import ssl
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import aiohttp

from policies.contracts.identity import DISCOVERY, Issuer
from proxy_addons.core.issuer_keys import MAX_SET_BYTES, IssuerKey, KeysInvalid, read_discovery, read_jwks
from proxy_addons.settings import SettingInvalid

# An issuer may be on another continent, and it is asked beside the data path; one that needs longer is asked again.
_CONNECT_S: Final = 3.0
_TOTAL_S: Final = 8.0
_MAX_DISCOVERY_BYTES: Final = 64 * 1024
_MAX_URL_CHARS: Final = 2048
_WELL_KNOWN: Final = "/.well-known/openid-configuration"
_LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})
_OK: Final = 200


class IssuerUnavailable(Exception):
    """An issuer's keys were not to be had. The text says why, in words of ours alone."""


class Issuers:
    """Fetches keys. `ca_file` is whom to trust beside nobody else; without it, the system's authorities."""

    def __init__(self, ca_file: Path | None) -> None:
        try:
            self._tls = ssl.create_default_context(cafile=ca_file)
        except (ssl.SSLError, OSError) as exc:
            raise SettingInvalid("GATEHOUSE_ISSUER_CA_FILE", "must hold certificates in PEM form") from exc

    async def fetch(self, issuer: Issuer) -> tuple[IssuerKey, ...]:
        """Return the usable keys that `issuer` publishes now. Raises IssuerUnavailable."""
        timeout = aiohttp.ClientTimeout(total=_TOTAL_S, connect=_CONNECT_S)
        try:
            async with (
                asyncio.timeout(_TOTAL_S),
                aiohttp.ClientSession(
                    trust_env=False,
                    cookie_jar=aiohttp.DummyCookieJar(),
                    timeout=timeout,
                    connector=aiohttp.TCPConnector(ssl=self._tls, force_close=True),
                ) as session,
            ):
                url = issuer.jwks
                if url == DISCOVERY:
                    location = issuer.issuer.removesuffix("/") + _WELL_KNOWN
                    stated = await _get(session, location, largest=_MAX_DISCOVERY_BYTES)
                    url = read_discovery(stated, issuer=issuer.issuer)
                    _check(url, issuer)
                return read_jwks(await _get(session, url, largest=MAX_SET_BYTES))
        except KeysInvalid as exc:
            raise IssuerUnavailable(str(exc)) from None
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as exc:
            raise IssuerUnavailable(type(exc).__name__) from None


def _check(url: str, issuer: Issuer) -> None:
    """Refuse a URL of keys that an attacker on the network could answer for, or that is none."""
    try:
        parts = urlsplit(url)
        secure = parts.scheme == "https"
        local = parts.scheme == "http" and issuer.issuer.startswith("http://") and parts.hostname in _LOOPBACK
        good = bool(parts.hostname) and "@" not in parts.netloc and len(url) <= _MAX_URL_CHARS and url.isascii()
    except ValueError:
        raise KeysInvalid("discovery-url-invalid") from None
    if not good or not (secure or local):
        raise KeysInvalid("discovery-url-not-https")


async def _get(session: aiohttp.ClientSession, url: str, *, largest: int) -> bytes:
    headers = {"Accept": "application/json", "Accept-Encoding": "identity"}
    async with session.get(url, headers=headers, allow_redirects=False) as answer:
        if answer.status != _OK:
            raise IssuerUnavailable(f"status-{answer.status}")
        content = bytearray()
        async for piece in answer.content.iter_chunked(64 * 1024):
            content += piece
            if len(content) > largest:
                raise IssuerUnavailable("answer-too-large")
        return bytes(content)
