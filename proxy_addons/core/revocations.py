# SPDX-License-Identifier: Apache-2.0
"""What is refused although it was good once, looked up on every request (`docs/spec/bundle.md`, "Revocations")."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Self

from policies.bundle.revocations import RevocationsDocument
from proxy_addons.core.exchange import Credential, CredentialKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Revocations:
    """One epoch of them. Built once for each document, never changed. Epoch 0 is that of no document: it has nothing.

    `tokens` are (issuer, jti); `issued_before` says of a subject which of its tokens and certificates are too old.
    """

    epoch: int = 0
    keys: frozenset[str] = frozenset()
    subjects: frozenset[str] = frozenset()
    tokens: frozenset[tuple[str, str]] = frozenset()
    digests: frozenset[str] = frozenset()
    issued_before: Mapping[str, datetime] = field(default_factory=dict)

    @classmethod
    def of(cls, document: RevocationsDocument) -> Self:
        return cls(
            epoch=document.epoch,
            keys=frozenset(document.keys),
            subjects=frozenset(document.subjects),
            tokens=frozenset((each.issuer, each.jti) for each in document.tokens),
            digests=frozenset(document.digests),
            # In order of time for each subject, so that the latest stays.
            issued_before={each.subject: each.at for each in sorted(document.issued_before)},
        )

    def revoke(self, credential: Credential) -> bool:
        """Tell whether `credential` is refused, whoever has let it in before."""
        if credential.kind is CredentialKind.API_KEY:
            return credential.key_id in self.keys or (bool(self.subjects) and str(credential.subject) in self.subjects)
        if self.tokens and credential.token_id in self.tokens:
            return True
        if self.digests and not self.digests.isdisjoint(credential.digests):
            return True
        if not self.subjects and not self.issued_before:
            return False
        subject = str(credential.subject)
        if subject in self.subjects:
            return True
        earliest = self.issued_before.get(subject)
        # A credential that does not say when it was issued may have been issued before.
        return earliest is not None and (credential.issued_at is None or credential.issued_at < earliest)
