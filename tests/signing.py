# SPDX-License-Identifier: Apache-2.0
"""Signed bundles and credentials, made by the real packer, for suites that run a node or an OPA pool."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from policies.bundle.credentials import ApiKey, CredentialsDocument, hash_api_key, sign_credentials
from policies.bundle.environment import Candidate, EnvironmentDocument, Staleness, sign_environment
from policies.bundle.jws import SigningKey, load_signing_key
from policies.bundle.pack import pack
from policies.bundle.revocations import RevocationsDocument, sign_revocations
from policies.bundle.verify import VerifiedBundle, verify
from policies.contracts.decision import Effect, Mode
from policies.contracts.request import Subject
from policies.contracts.snapshot import (
    AccessPolicy,
    Dialect,
    Grant,
    GuardPolicy,
    PolicySnapshot,
    Route,
)

KEY_ID = "gatehouse-1"
PEPPER = bytes(32)
ALICE_KEY = "gh_01JD0000000000000000000000_" + "a" * 43
REVOKED_KEY = "gh_01JD0000000000000000000001_" + "b" * 43
EXPIRED_KEY = "gh_01JD0000000000000000000002_" + "c" * 43

_GUARD = """package gatehouse.guard.request_caps

deny contains "max-tokens-over-cap" if input.request.max_tokens > 512
"""

SNAPSHOT = PolicySnapshot(
    tenant="default",
    environment="production",
    groups={},
    access=(
        AccessPolicy(
            id="chat-access",
            version="1",
            mode=Mode.ENFORCE,
            grants=(
                Grant(
                    id="alice-chats",
                    effect=Effect.ALLOW,
                    subjects=("user:alice",),
                    models=("parrot",),
                    operations=("chat.completions",),
                ),
            ),
        ),
    ),
    guards=(
        GuardPolicy(
            id="request-caps",
            version="1",
            mode=Mode.ENFORCE,
            module=_GUARD,
            data={},
            reasons={"max-tokens-over-cap": "Too many."},
        ),
    ),
    routes=(
        Route(
            id="chat",
            policy="routes",
            method="POST",
            path="/v1/chat/completions",
            operation="chat.completions",
            dialect=Dialect.CHAT,
        ),
    ),
)


_PAST = datetime(2020, 1, 1, tzinfo=UTC)


def _key(key: str, *, revoked: bool = False, expires_at: datetime | None = None) -> ApiKey:
    return ApiKey(
        id=key.split("_")[1],
        hash=hash_api_key(PEPPER, key),
        subject=Subject(type="user", id="alice"),
        expires_at=expires_at,
        revoked=revoked,
    )


@dataclass(frozen=True)
class Signer:
    """A key pair on disk (`public_file`) and what it signs."""

    key: SigningKey
    public_file: Path

    @classmethod
    def make(cls, directory: Path, name: str = "bundle-signing.pub.pem", *, key_id: str = KEY_ID) -> "Signer":
        private = ec.generate_private_key(ec.SECP256R1())
        public_file = directory / name
        public_file.write_bytes(
            private.public_key().public_bytes(
                serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
            )
        )
        pem = private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return cls(load_signing_key(pem, key_id=key_id), public_file)

    def bundle(self, serial: int, *, version: str = "1", **changes: Any) -> bytes:
        """Return a bundle of SNAPSHOT, with `changes`; another `version` gives another revision."""
        access = (replace(SNAPSHOT.access[0], version=version),)
        return pack(replace(SNAPSHOT, **({"access": access} | changes)), serial=serial, signer=self.key).content

    def environment(
        self,
        number: int,
        candidate: Candidate | None = None,
        *,
        staleness: Staleness | None = None,
        posture_every_s: int = 300,
    ) -> bytes:
        """Return an environment document."""
        document = EnvironmentDocument(
            tenant="default",
            environment="production",
            number=number,
            issued_at=datetime(2026, 11, 20, tzinfo=UTC),
            staleness=staleness or Staleness(),
            posture_every_s=posture_every_s,
            candidate=candidate,
        )
        return sign_environment(document, self.key)

    def credentials(self, epoch: int, *, revoked: bool = False) -> bytes:
        """Return a credentials document with alice's key, and two that she lost."""
        document = CredentialsDocument(
            tenant="default",
            environment="production",
            epoch=epoch,
            issued_at=datetime(2026, 11, 20, tzinfo=UTC),
            keys=(
                _key(ALICE_KEY, revoked=revoked),
                _key(REVOKED_KEY, revoked=True),
                _key(EXPIRED_KEY, expires_at=_PAST),
            ),
        )
        return sign_credentials(document, self.key)

    def revocations(self, epoch: int, **members: object) -> bytes:
        """Return a revocations document that names what `members` say, such as `keys`."""
        document = RevocationsDocument(
            tenant="default",
            environment="production",
            epoch=epoch,
            issued_at=datetime(2026, 11, 20, tzinfo=UTC),
        )
        return sign_revocations(replace(document, **members), self.key)


def verified(content: bytes, signer: Signer) -> VerifiedBundle:
    """Return what a bundle of SNAPSHOT's tenant and environment says, whatever its serial."""
    keys = {KEY_ID: signer.public_file.read_bytes()}
    return verify(content, keys=keys, tenant=SNAPSHOT.tenant, environment=SNAPSHOT.environment, newer_than=None)
