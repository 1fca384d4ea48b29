# SPDX-License-Identifier: Apache-2.0
"""Keys, tokens and the local certificate authority that one machine needs. Each is made once and then kept."""

import secrets
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from controlplane.local.home import Home, write_private
from controlplane.services.log_key import new_log_key

SIGNING_KEY_ID: Final = "gatehouse-1"

# The local CA lives and dies with its home: `rm -r` of the home is how it is rotated.
_CA_LIFETIME: Final = timedelta(days=3650)
_LEAF_LIFETIME: Final = timedelta(days=825)
_CLOCK_SKEW: Final = timedelta(minutes=5)


def ensure_materials(home: Home) -> None:
    """Make what is missing under `home.keys` and `home.ca`. What is there is never replaced."""
    _ensure_signing_key(home.keys)
    for name in ("key-pepper", "pseudonym-key", "payload-key"):
        if not (home.keys / name).exists():
            write_private(home.keys / name, secrets.token_hex(32).encode())
    if not home.log_key.exists():
        # Never replaced: what was signed before would no longer be this log's.
        write_private(home.log_key, new_log_key().encode() + b"\n")
    if not (home.ca / "ca.pem").exists():
        _make_ca(home.ca)
    for name, usage in (("inference", ExtendedKeyUsageOID.SERVER_AUTH), ("proxy", ExtendedKeyUsageOID.CLIENT_AUTH)):
        if not (home.ca / f"{name}.pem").exists():
            _make_leaf(home.ca, name, usage)


def _ensure_signing_key(folder: Path) -> None:
    private = folder / "bundle-signing.pem"
    if not private.exists():
        # P-256, because a stock OPA verifies bundles by ES256 and knows no EdDSA.
        write_private(private, _pem(ec.generate_private_key(ec.SECP256R1())))
    key = serialization.load_pem_private_key(private.read_bytes(), password=None)
    write_private(
        folder / "bundle-signing.pub.pem",
        key.public_key().public_bytes(
            serialization.Encoding.PEM,
            serialization.PublicFormat.SubjectPublicKeyInfo,
        ),
    )


def _make_ca(folder: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = _name("Gatehouse local CA")
    certificate = (
        _builder(subject=name, issuer=name, lifetime=_CA_LIFETIME, public_key=key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(signs_certificates=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    write_private(folder / "ca.key", _pem(key))
    write_private(folder / "ca.pem", certificate.public_bytes(serialization.Encoding.PEM))


def _make_leaf(folder: Path, name: str, usage: x509.ObjectIdentifier) -> None:
    ca_key = serialization.load_pem_private_key((folder / "ca.key").read_bytes(), password=None)
    if not isinstance(ca_key, ec.EllipticCurvePrivateKey):
        raise TypeError(f"{folder / 'ca.key'} is not an elliptic-curve key; remove {folder} to make a new CA")
    ca = x509.load_pem_x509_certificate((folder / "ca.pem").read_bytes())
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = (
        _builder(
            subject=_name(f"gatehouse {name}"),
            issuer=ca.subject,
            lifetime=_LEAF_LIFETIME,
            public_key=key.public_key(),
        )
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        .add_extension(x509.SubjectAlternativeName(_loopback_names()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    write_private(folder / f"{name}.key", _pem(key))
    write_private(folder / f"{name}.pem", certificate.public_bytes(serialization.Encoding.PEM))


def _builder(
    *,
    subject: x509.Name,
    issuer: x509.Name,
    lifetime: timedelta,
    public_key: ec.EllipticCurvePublicKey,
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _CLOCK_SKEW)
        .not_valid_after(now + lifetime)
    )


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _loopback_names() -> Sequence[x509.GeneralName]:
    return [x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1")), x509.IPAddress(ip_address("::1"))]


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
