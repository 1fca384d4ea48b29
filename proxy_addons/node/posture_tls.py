# SPDX-License-Identifier: Apache-2.0
"""Check that the data port speaks TLS as it is set to: nothing old, nothing plain, and a certificate that lasts."""

import ssl
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Final

from cryptography import x509

from proxy_addons.node.posture import Found, Outcome
from proxy_addons.node.posture_probe import certificate_of, models_request, said

_SOON: Final = timedelta(days=7)
_HANDSHAKE: Final = 0x16
# Written by hand: an OpenSSL of today refuses to ask for what this asks for, whatever the server would take.
# Version, random, no session, three suites of TLS 1.1 (ECDSA, RSA), no compression, three curves, plain points.
_SUITES: Final = bytes.fromhex("c009c013002f")
_EXTENSIONS: Final = bytes.fromhex("000a00080006001d00170018") + bytes.fromhex("000b00020100")
_BODY: Final = (
    b"\x03\x02"
    + bytes(range(32))
    + b"\x00"
    + len(_SUITES).to_bytes(2)
    + _SUITES
    + b"\x01\x00"
    + len(_EXTENSIONS).to_bytes(2)
    + _EXTENSIONS
)
_HELLO: Final = b"\x01" + len(_BODY).to_bytes(3) + _BODY
TLS_1_1_HELLO: Final = b"\x16\x03\x01" + len(_HELLO).to_bytes(2) + _HELLO


async def check_tls(host: str, port: int, *, expected: bool) -> Found:
    """Return whether the port does what it is set to; `expected` is that it has a certificate."""
    if not expected:
        return Found(Outcome.SKIPPED, "no-certificate-set")
    try:
        shown = await certificate_of(host, port)
    except ssl.SSLError:
        return Found(Outcome.FAILED, "no-tls")
    left = x509.load_der_x509_certificate(shown).not_valid_after_utc - datetime.now(UTC)
    if left <= _SOON:
        return Found(Outcome.FAILED, "certificate-expired" if left <= timedelta() else "certificate-expires-soon")
    if (await _answer(host, port, TLS_1_1_HELLO))[:1] == bytes([_HANDSHAKE]):
        return Found(Outcome.FAILED, "old-tls-accepted")
    plain = (await _answer(host, port, models_request(host))).startswith(b"HTTP/")
    return Found(Outcome.FAILED, "plain-http-accepted") if plain else Found(Outcome.PASSED, "as-set")


async def _answer(host: str, port: int, request: bytes) -> bytes:
    """Return how the answer begins; nothing where the connection was ended over it."""
    with suppress(ConnectionError):
        return await said(host, port, request, tls=None)
    return b""
