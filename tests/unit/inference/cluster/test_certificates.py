# SPDX-License-Identifier: Apache-2.0
"""What the processes of a local cluster show one another."""

import ssl
from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.exceptions import InvalidSignature

from inference.cluster.certificates import make_certificates

NOW = datetime(2026, 11, 22, tzinfo=UTC)


@pytest.fixture
def made(tmp_path):
    return make_certificates(tmp_path, now=lambda: NOW)


def test_the_certificate_is_the_authority_s_and_for_the_loopback_address(made):
    authority, certificate = (
        x509.load_pem_x509_certificate(path.read_bytes()) for path in (made.authority, made.certificate)
    )
    certificate.verify_directly_issued_by(authority)
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["localhost"]
    assert [str(each) for each in names.get_values_for_type(x509.IPAddress)] == ["127.0.0.1"]
    assert certificate.not_valid_before_utc < NOW < certificate.not_valid_after_utc


def test_key_and_certificate_belong_together(made):
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(made.certificate, made.key)


def test_another_cluster_s_authority_signed_nothing_of_this_one(made, tmp_path):
    (tmp_path / "other").mkdir()
    other = make_certificates(tmp_path / "other", now=lambda: NOW)
    certificate = x509.load_pem_x509_certificate(made.certificate.read_bytes())
    with pytest.raises(InvalidSignature):
        certificate.verify_directly_issued_by(x509.load_pem_x509_certificate(other.authority.read_bytes()))


def test_only_the_owner_reads_them_and_the_authority_s_key_is_not_there(made, tmp_path):
    assert {0o600} == {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["authority.pem", "certificate.pem", "key.pem"]
