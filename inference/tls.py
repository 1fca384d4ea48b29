# SPDX-License-Identifier: Apache-2.0
"""The server's side of TLS."""

import ssl

from inference.settings import SettingsWrong, TlsFiles


def server_context(files: TlsFiles) -> ssl.SSLContext:
    """TLS 1.3 only. With a client CA, a peer without one of its certificates is refused in the handshake."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    # Both ends are deployed together, so nothing older has to be spoken.
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    try:
        context.load_cert_chain(files.certificate, files.key)
        if files.client_ca is not None:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(files.client_ca)
    except (OSError, ssl.SSLError) as exc:
        raise SettingsWrong(
            "--tls-cert, --tls-key or --client-ca holds no usable PEM, or key and certificate differ"
        ) from exc
    return context
