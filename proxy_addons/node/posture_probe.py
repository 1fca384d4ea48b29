# SPDX-License-Identifier: Apache-2.0
"""Asks a server one question as a stranger would: no credentials, no trust, and as little of the answer as it takes."""

import asyncio
import contextlib
import re
import ssl
from typing import Final

_WITHIN_S: Final = 5.0
_STATUS: Final = re.compile(rb"HTTP/1\.[01] (\d{3})")
_MOST_BYTES: Final = 4096


def stranger() -> ssl.SSLContext:
    """Return what someone uses who does not care whom they talk to. Nothing secret may be sent over it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["http/1.1"])
    return context


def models_request(host: str) -> bytes:
    """Return a question that costs nobody a token."""
    return f"GET /v1/models HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode("ascii")


async def status_of(host: str, port: int, request: bytes, *, tls: ssl.SSLContext | None) -> int | None:
    """Return the status of the answer; None where there is none, or one that is no HTTP.

    Raises OSError where there is no connection or it is broken, ssl.SSLError, and TimeoutError.
    """
    answer = await said(host, port, request, tls=tls)
    found = _STATUS.match(answer)
    return None if found is None else int(found[1])


async def said(host: str, port: int, request: bytes, *, tls: ssl.SSLContext | None) -> bytes:
    """Return how the answer to `request` begins. Raises as `status_of`."""
    async with asyncio.timeout(_WITHIN_S):
        reader, writer = await asyncio.open_connection(
            host, port, ssl=tls, limit=_MOST_BYTES, server_hostname=host if tls is not None else None
        )
        try:
            writer.write(request)
            await writer.drain()
            return await reader.read(_MOST_BYTES)
        finally:
            writer.transport.abort()
            with contextlib.suppress(OSError):
                await writer.wait_closed()


async def certificate_of(host: str, port: int) -> bytes:
    """Return the certificate that is shown, in DER. Raises as `status_of`."""
    async with asyncio.timeout(_WITHIN_S):
        _, writer = await asyncio.open_connection(host, port, ssl=stranger(), server_hostname=host)
        try:
            return bytes(writer.get_extra_info("ssl_object").getpeercert(binary_form=True))
        finally:
            writer.transport.abort()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
