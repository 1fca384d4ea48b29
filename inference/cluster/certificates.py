# SPDX-License-Identifier: Apache-2.0
"""A certificate authority that lives as long as one local cluster, and its one certificate."""

import ipaddress
import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

# Longer than any process runs: nothing renews it, and what it protects ends with the process.
_LIFE: Final = timedelta(days=3650)
# A clock that is set back a little while the cluster runs.
_SLACK: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterCertificates:
    authority: Path
    certificate: Path
    key: Path


def make_certificates(folder: Path, *, now: Callable[[], datetime]) -> ClusterCertificates:
    """Writes them into the folder, for its owner alone. The authority's key is never written: it signs once."""
    authority_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    authority_name = _name("gatehouse-inference cluster")
    authority = (
        _builder(authority_name, authority_name, authority_key.public_key(), now())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(authority_key, hashes.SHA256())
    )
    alternatives = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    certificate = (
        _builder(_name("gatehouse-inference node"), authority_name, key.public_key(), now())
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return ClusterCertificates(
        authority=_write(folder / "authority.pem", authority.public_bytes(pem)),
        certificate=_write(folder / "certificate.pem", certificate.public_bytes(pem)),
        key=_write(folder / "key.pem", private),
    )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, now: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _SLACK)
        .not_valid_after(now + _LIFE)
    )


def _write(path: Path, content: bytes) -> Path:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
    return path
