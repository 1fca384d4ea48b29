# SPDX-License-Identifier: Apache-2.0
"""Who is at the other end of a connection, in mitmproxy's words and by the certificate that TLS has verified."""

import asyncio
import ssl

from mitmproxy.connection import Client, ConnectionState
from mitmproxy.proxy.mode_specs import ProxyMode


def client_of(transport: asyncio.Transport, mode: ProxyMode, *, now_s: float) -> tuple[Client, bytes | None]:
    """Return the client, and its verified certificate (DER) if it showed one."""
    client = Client(
        peername=transport.get_extra_info("peername"),
        sockname=transport.get_extra_info("sockname"),
        state=ConnectionState.OPEN,
        timestamp_start=now_s,
        proxy_mode=mode,
    )
    tls: ssl.SSLObject | None = transport.get_extra_info("ssl_object")
    if tls is None:
        return client, None
    cipher, protocol = tls.cipher(), tls.selected_alpn_protocol()
    client.tls = True
    client.timestamp_tls_setup = now_s
    client.cipher = None if cipher is None else cipher[0]
    client.alpn = None if protocol is None else protocol.encode("ascii")
    # The context asks for a certificate or not (CERT_OPTIONAL, CERT_NONE); one that did not verify ended the handshake.
    return client, tls.getpeercert(binary_form=True)
