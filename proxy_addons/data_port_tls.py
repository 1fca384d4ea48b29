# SPDX-License-Identifier: Apache-2.0
"""TLS of the data port: what its files say, as a context for new connections, and when they say something else."""

import os
import ssl
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final, TypeAlias

from cryptography import x509

from proxy_addons.settings import DataPortTls

# How long a replaced certificate may go unnoticed. A look is one stat for each file.
LOOK_EVERY_S: Final = 0.5

Stamp: TypeAlias = tuple[tuple[int, int, int], ...]


class TlsFilesUnusable(Exception):
    """The certificate, its key or the authorities for clients cannot be used. The text names why, and no content."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsIdentity:
    """What new connections are shown, until when it is valid, and the state of the files it was read from."""

    context: ssl.SSLContext
    expires_at: datetime
    stamp: Stamp


def load_identity(files: DataPortTls) -> TlsIdentity:
    """Return what `files` say. Raises TlsFilesUnusable.

    The files are looked at before they are read: whatever is written meanwhile shows up at the next look.
    """
    stamp = stamp_of(files)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # An answer in another protocol than it was asked in is how requests are smuggled: one protocol is offered, and the
    # preface of HTTP/2 is refused by the layer like any other line that is no HTTP/1.1 request.
    context.set_alpn_protocols(["http/1.1"])
    context.options |= ssl.OP_NO_RENEGOTIATION
    # A ticket lives in the client's hands. What TLS 1.2 may resume without one lives in this context, and dies with it:
    # nobody's certificate outlives the authorities that it was verified under.
    context.options |= ssl.OP_NO_TICKET
    context.num_tickets = 0
    try:
        # Without the callback OpenSSL would ask the terminal for the password of an encrypted key.
        context.load_cert_chain(files.cert_file, files.key_file, password=_no_password)
        if files.client_ca_file is not None:
            context.load_verify_locations(files.client_ca_file)
            context.verify_mode = ssl.CERT_OPTIONAL
        expires_at = _expiry(files.cert_file)
    except ssl.SSLError as exc:
        raise TlsFilesUnusable(exc.reason or "not a certificate and its key in PEM") from exc
    except OSError as exc:
        raise TlsFilesUnusable(f"cannot be read ({exc.strerror})") from exc
    except ValueError as exc:
        raise TlsFilesUnusable("not a certificate in PEM, or a key with a password") from exc
    return TlsIdentity(context=context, expires_at=expires_at, stamp=stamp)


def stamp_of(files: DataPortTls) -> Stamp:
    """Return what changes when a file is written, replaced, or a link to it is turned. A missing file is zeros."""
    return tuple(_stamp(path) for path in (files.cert_file, files.key_file, files.client_ca_file) if path is not None)


def _stamp(path: Path) -> tuple[int, int, int]:
    try:
        found = os.stat(path)  # noqa: PTH116  # the same call; a link is followed, so that a turned one is seen
    except OSError:
        return (0, 0, 0)
    return (found.st_ino, found.st_size, found.st_mtime_ns)


def _expiry(cert_file: Path) -> datetime:
    """Return when the first certificate of the file, which is ours, ends."""
    return x509.load_pem_x509_certificates(cert_file.read_bytes())[0].not_valid_after_utc


def _no_password() -> str:
    raise ValueError("the key has a password")
