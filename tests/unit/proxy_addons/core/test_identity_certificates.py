# SPDX-License-Identifier: Apache-2.0
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from policies.contracts.identity import CertificateField, CertificateRule, SubjectType
from proxy_addons.core.exchange import CredentialKind
from proxy_addons.core.identity_certificates import CertificateReader
from proxy_addons.core.refused import Refused
from tests.tokens import NOW

KEY = ec.generate_private_key(ec.SECP256R1())
BATCH = "spiffe://example.com/batch"
EXACT = CertificateRule(id="batch", field=CertificateField.SAN_URI, exact=BATCH, subject="service:batch")
PREFIX = CertificateRule(
    id="workloads", field=CertificateField.SAN_URI, prefix="spiffe://example.com/sa/", type=SubjectType.SERVICE
)
DNS = CertificateRule(id="hosts", field=CertificateField.SAN_DNS, exact="ci.example.com", subject="service:ci")
CN = CertificateRule(id="people", field=CertificateField.CN, prefix="", type=SubjectType.USER)


def certificate(*sans: str, cn: tuple[str, ...] = (), from_s: int = -60, until_s: int = 60) -> bytes:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, each) for each in cn])
    names = [x509.UniformResourceIdentifier(san) if "://" in san else x509.DNSName(san) for san in sans]
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(x509.Name([]))
        .public_key(KEY.public_key())
        .serial_number(1)
        .not_valid_before(NOW + timedelta(seconds=from_s))
        .not_valid_after(NOW + timedelta(seconds=until_s))
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return builder.sign(KEY, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


@pytest.mark.parametrize(
    ("rules", "der", "want"),
    [
        pytest.param([EXACT], certificate(BATCH), "service:batch", id="exact"),
        pytest.param([EXACT], certificate(BATCH + "2"), None, id="longer-than-exact"),
        pytest.param([EXACT], certificate("spiffe://example.com/Batch"), None, id="another-case"),
        pytest.param([PREFIX], certificate("spiffe://example.com/sa/ci"), "service:ci", id="prefix"),
        pytest.param([PREFIX], certificate("spiffe://example.com/sa/"), None, id="nothing-after-the-prefix"),
        pytest.param([PREFIX], certificate("spiffe://example.com/sa/a/b"), None, id="no-name-after-the-prefix"),
        pytest.param([PREFIX], certificate("spiffe://evil.com/spiffe://example.com/sa/ci"), None, id="prefix-within"),
        pytest.param([DNS], certificate("ci.example.com"), "service:ci", id="dns"),
        pytest.param([DNS], certificate("spiffe://ci.example.com"), None, id="a-uri-is-no-dns-name"),
        pytest.param([DNS], certificate("*.example.com"), None, id="a-wildcard-is-not-expanded"),
        pytest.param([CN], certificate(cn=("alice",)), "user:alice", id="cn"),
        pytest.param([CN], certificate(cn=("alice", "root")), None, id="two-cns"),
        pytest.param([CN], certificate(cn=("group:staff",)), None, id="a-cn-that-is-no-name"),
        pytest.param([EXACT, DNS], certificate(cn=("alice",)), None, id="no-sans"),
        pytest.param([EXACT, PREFIX], certificate(BATCH, "https://a.b/c"), "service:batch", id="one-rule-of-two"),
    ],
)
def test_a_certificate_names_whom_a_rule_says(rules, der, want):
    found = CertificateReader(rules).identify(der, now=NOW)
    assert (None if found is None else str(found.subject)) == want


def test_a_certificate_that_names_two_is_refused():
    both = certificate(BATCH, "spiffe://example.com/sa/ci")
    with pytest.raises(Refused) as refused:
        CertificateReader([EXACT, PREFIX]).identify(both, now=NOW)
    assert refused.value.code == "credentials-ambiguous"


def test_two_rules_for_one_subject_are_one_subject():
    twice = CertificateRule(id="again", field=CertificateField.CN, exact="batch", subject="service:batch")
    found = CertificateReader([EXACT, twice]).identify(certificate(BATCH, cn=("batch",)), now=NOW)
    assert found is not None


@pytest.mark.parametrize(
    ("at_s", "want"),
    [
        pytest.param(-61, "credentials-invalid", id="not-yet"),
        pytest.param(-60, None, id="just-begun"),
        pytest.param(59, None, id="about-to-end"),
        pytest.param(60, "credentials-expired", id="ended"),
    ],
)
def test_a_certificate_ends_within_a_connection_too(at_s, want):
    reader, der, at = CertificateReader([EXACT]), certificate(BATCH), NOW + timedelta(seconds=at_s)
    assert reader.identify(der, now=NOW) is not None
    if want is None:
        assert reader.identify(der, now=at) is not None
        return
    with pytest.raises(Refused) as refused:
        reader.identify(der, now=at)
    assert refused.value.code == want


def test_it_is_recorded_by_its_fingerprint():
    der = certificate(BATCH)
    found = CertificateReader([EXACT]).identify(der, now=NOW)
    assert found is not None
    assert found.kind is CredentialKind.CERTIFICATE
    assert found.key_id == "sha256:" + x509.load_der_x509_certificate(der).fingerprint(hashes.SHA256()).hex()


def test_what_cannot_be_read_identifies_nobody_and_is_refused():
    with pytest.raises(Refused) as refused:
        CertificateReader([EXACT]).identify(b"no certificate", now=NOW)
    assert refused.value.code == "credentials-invalid"


def test_without_rules_nothing_is_looked_at():
    assert CertificateReader([]).identify(b"no certificate", now=NOW) is None


def test_memory_is_bounded(monkeypatch):
    monkeypatch.setattr("proxy_addons.core.identity_certificates._MAX_REMEMBERED", 2)
    reader = CertificateReader([EXACT])
    for number in range(5):
        reader.identify(certificate(BATCH, until_s=60 + number), now=NOW)
    assert len(reader._remembered) == 2
