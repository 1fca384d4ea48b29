# SPDX-License-Identifier: Apache-2.0
"""The upstream over TLS: its certificate is verified, for its address too, and ours is shown."""

import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.layer_rig import AllowAll, error_code, gateway, on_uvloop, request, status, upstream_settings


class Authority:
    """A certificate authority of one test; it writes what it issues into a folder."""

    def __init__(self, folder, name):
        self.folder, self.name = folder, name
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.certificate = self._sign(name, self.key, x509.BasicConstraints(ca=True, path_length=0))
        self.path = folder / f"{name}.pem"
        self.path.write_bytes(self.certificate.public_bytes(serialization.Encoding.PEM))

    def issue(self, name, address):
        key = ec.generate_private_key(ec.SECP256R1())
        names = x509.SubjectAlternativeName([x509.IPAddress(ip_address(address))])
        certificate = self._sign(name, key, names)
        cert_file, key_file = self.folder / f"{name}.crt", self.folder / f"{name}.key"
        cert_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        key_file.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            ),
        )
        return cert_file, key_file

    def _sign(self, name, key, extension):
        now = datetime.now(UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
            .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, self.name)]))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(minutes=1))
            .not_valid_after(now + timedelta(hours=1))
            .add_extension(extension, critical=True)
            .sign(self.key, hashes.SHA256())
        )


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path, "ca")


def server_context(certificate, *, client_ca=None):
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*certificate)
    if client_ca is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(client_ca)
    return context


@on_uvloop
async def test_an_upstream_with_mutual_tls_answers(authority):
    tls = server_context(authority.issue("server", "127.0.0.1"), client_ca=authority.path)
    mine = upstream_settings("", authority.path, *authority.issue("client", "127.0.0.2"))
    async with gateway([AllowAll()], upstream_tls=tls, settings=mine) as gate:
        for _ in range(2):
            assert status(await gate.exchange(request())) == 200
        assert gate.upstream.connections == 1


@on_uvloop
async def test_an_upstream_that_wants_our_certificate_gets_nothing_without_it(authority):
    tls = server_context(authority.issue("server", "127.0.0.1"), client_ca=authority.path)
    async with gateway([AllowAll()], upstream_tls=tls, settings=upstream_settings("", authority.path)) as gate:
        assert error_code(await gate.exchange(request())) == "upstream-unavailable"
        assert not gate.upstream.received


@on_uvloop
async def test_an_upstream_of_another_address_gets_nothing(authority):
    tls = server_context(authority.issue("server", "127.0.0.9"))
    async with gateway([AllowAll()], upstream_tls=tls, settings=upstream_settings("", authority.path)) as gate:
        assert error_code(await gate.exchange(request())) == "upstream-unavailable"
        assert not gate.upstream.received


@on_uvloop
async def test_an_upstream_of_an_unknown_authority_gets_nothing(authority, tmp_path):
    other = Authority(tmp_path, "other")
    tls = server_context(other.issue("server", "127.0.0.1"))
    async with gateway([AllowAll()], upstream_tls=tls, settings=upstream_settings("", authority.path)) as gate:
        assert error_code(await gate.exchange(request())) == "upstream-unavailable"
        assert not gate.upstream.received
