# SPDX-License-Identifier: Apache-2.0
"""What a token is revoked by, and what of it is kept."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from controlplane.services.model import ApiKey, Artifact, Page


@dataclass(frozen=True, slots=True, kw_only=True)
class RevokedToken:
    """One revocation: by `issuer` and `jti`, by `sha256`, or of all that `subject` was given before `issued_before`.

    The members of the other two ways are None. Without `expires_at` it holds until it is taken back.
    """

    tenant: str
    environment: str
    id: str
    issuer: str | None
    jti: str | None
    sha256: str | None
    subject: str | None
    issued_before: datetime | None
    expires_at: datetime | None
    reason: str
    revoked_by: str
    revoked_at: datetime


class RevocationStore(Protocol):
    """The revocations of environments: tokens, and the newest signed document of each."""

    def add(self, revoked: RevokedToken) -> None: ...
    def remove(self, tenant: str, revoked_id: str) -> None: ...
    def get(self, tenant: str, revoked_id: str) -> RevokedToken | None: ...
    def page(self, tenant: str, environment: str, *, after: str | None, limit: int) -> Page[RevokedToken]: ...
    def count(self, tenant: str, environment: str) -> int: ...
    def of_environment(self, tenant: str, environment: str) -> tuple[RevokedToken, ...]: ...
    def prune(self, tenant: str, environment: str, *, expired_before: datetime) -> None:
        """Forget revocations of tokens that had expired before that time."""

    def revoked_keys(self, tenant: str, environment: str, *, expired_before: datetime) -> tuple[str, ...]:
        """Return the ids of revoked API keys, but for those that cannot have been let in since that time."""

    def keys_of(self, tenant: str, environment: str, subject: str, *, made_before: datetime) -> tuple[ApiKey, ...]:
        """Return the API keys of a subject that are not revoked and were made before that time."""

    def document(self, tenant: str, environment: str) -> Artifact | None: ...
    def epoch(self, tenant: str, environment: str) -> int:
        """Return the epoch of the newest document, 0 where there is none."""

    def put(self, tenant: str, environment: str, document: Artifact, *, epoch: int, credentials_due: bool) -> None:
        """Keep the newest document. `credentials_due`: the credentials document does not say yet what it says."""

    def due(self) -> tuple[tuple[str, str], ...]:
        """Return the environments, each with its tenant before it, whose credentials document is due."""

    def settle(self, tenant: str, environment: str) -> None:
        """Note that the credentials document says all that is revoked."""


class RevocationSession(Protocol):
    """The part of a transaction's view that this module is about."""

    @property
    def revocations(self) -> RevocationStore: ...
