# SPDX-License-Identifier: Apache-2.0
"""Whose request it is, by the certificate that the client showed in TLS and that the handshake has verified.

Rules: only what a rule of policy looks for is looked at. A certificate to which no rule applies identifies nobody; one
whose rules give two subjects is refused, since policy does not say which of them it is.
"""

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from cryptography import x509
from cryptography.x509.oid import NameOID

from policies.contracts.identity import CertificateField, CertificateRule
from policies.contracts.request import Subject
from proxy_addons.core.exchange import Credential, CredentialKind
from proxy_addons.core.refused import Refused

_NAME: Final = re.compile(r"[A-Za-z0-9._@-]{1,128}", re.ASCII)
_INVALID: Final = "credentials-invalid"
# A connection shows one certificate for all its requests; a thousand clients are many for one worker.
_MAX_REMEMBERED: Final = 1024


@dataclass(frozen=True, slots=True)
class _Read:
    """What a certificate says under one policy: whom it names, if anybody, and from when to when."""

    credential: Credential | None
    valid_from: datetime
    valid_until: datetime


class CertificateReader:
    """Reads client certificates by the rules of one policy."""

    def __init__(self, rules: Sequence[CertificateRule]) -> None:
        self._rules = tuple(rules)
        self._remembered: dict[bytes, _Read] = {}

    def identify(self, der: bytes, *, now: datetime) -> Credential | None:
        """Return whom the certificate names; None where no rule applies. Raises Refused.

        The handshake looked at the time once; a connection may live longer than its certificate.
        """
        if not self._rules:
            return None
        fingerprint = hashlib.sha256(der).digest()
        read = self._remembered.get(fingerprint)
        if read is None:
            read = self._read(der, fingerprint.hex())
            if len(self._remembered) >= _MAX_REMEMBERED:
                del self._remembered[next(iter(self._remembered))]
            self._remembered[fingerprint] = read
        if read.credential is None:
            return None
        if now >= read.valid_until:
            raise Refused("credentials-expired")
        if now < read.valid_from:
            raise Refused(_INVALID)
        return read.credential

    def _read(self, der: bytes, fingerprint: str) -> _Read:
        try:
            certificate = x509.load_der_x509_certificate(der)
            subjects = {subject for rule in self._rules for subject in _subjects(rule, certificate)}
            valid_from, valid_until = certificate.not_valid_before_utc, certificate.not_valid_after_utc
        except (ValueError, x509.DuplicateExtension, x509.UnsupportedGeneralNameType):
            raise Refused(_INVALID) from None
        if len(subjects) > 1:
            raise Refused("credentials-ambiguous")
        credential = None
        if subjects:
            [subject] = subjects
            credential = Credential(
                kind=CredentialKind.CERTIFICATE,
                key_id=f"sha256:{fingerprint}",
                subject=subject,
                digests=(fingerprint,),
                issued_at=valid_from,
            )
        return _Read(credential, valid_from, valid_until)


def _subjects(rule: CertificateRule, certificate: x509.Certificate) -> Iterator[Subject]:
    for value in _values(rule.field, certificate):
        if rule.exact is not None and rule.subject is not None and value == rule.exact:
            kind, _, name = rule.subject.partition(":")
            yield Subject(type=kind, id=name)
        elif rule.prefix is not None and rule.type is not None and value.startswith(rule.prefix):
            name = value[len(rule.prefix) :]
            if _NAME.fullmatch(name):
                yield Subject(type=rule.type.value, id=name)


def _values(field: CertificateField, certificate: x509.Certificate) -> list[str]:
    if field is CertificateField.CN:
        names = [str(name.value) for name in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
        return names if len(names) == 1 else []  # of several, nobody says which counts
    try:
        names_of = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    kind = x509.UniformResourceIdentifier if field is CertificateField.SAN_URI else x509.DNSName
    return names_of.get_values_for_type(kind)
