# SPDX-License-Identifier: Apache-2.0
"""The publisher with the real key: signed bundles, signed credentials, fresh API keys."""

import hashlib
import secrets
from collections.abc import Sequence

from controlplane.identifiers import Clock
from controlplane.services import model
from controlplane.services.model import Artifact
from policies.bundle.credentials import (
    SECRET_BYTES,
    ApiKey,
    CredentialsDocument,
    format_api_key,
    hash_api_key,
    sign_credentials,
)
from policies.bundle.discovery import pack_discovery
from policies.bundle.environment import EnvironmentDocument, sign_environment
from policies.bundle.jws import SigningKey, public_pem
from policies.bundle.pack import pack
from policies.bundle.release import ReleaseManifest, sign_release
from policies.bundle.revocations import RevocationsDocument, sign_revocations
from policies.contracts.request import Subject
from policies.contracts.snapshot import PolicySnapshot


class BundlePublisher:
    """`controlplane.services.publishing.Publisher`, over `policies.bundle`."""

    def __init__(self, *, signer: SigningKey, earlier: SigningKey | None = None, pepper: bytes, clock: Clock) -> None:
        """`earlier` is the key of before a rotation that is under way: OPAs were booted with it and know no other.

        So it signs discovery, which tells them of the key that signs everything else.
        """
        self._signer = signer
        further_keys = {} if earlier is None else {signer.id: public_pem(signer)}
        self._discovery = _artifact(pack_discovery(earlier or signer, further_keys=further_keys))
        self._pepper = pepper
        self._clock = clock

    def pack(self, snapshot: PolicySnapshot, *, serial: int) -> Artifact:
        bundle = pack(snapshot, serial=serial, signer=self._signer)
        return Artifact(etag=bundle.etag.strip('"'), content=bundle.content)

    def sign_credentials(
        self,
        tenant: str,
        environment: str,
        *,
        epoch: int,
        keys: Sequence[model.ApiKey],
        blocked: Sequence[str],
    ) -> Artifact:
        document = CredentialsDocument(
            tenant=tenant,
            environment=environment,
            epoch=epoch,
            issued_at=self._clock(),
            keys=tuple(map(_published, keys)),
            blocked=tuple(blocked),
        )
        return _artifact(sign_credentials(document, self._signer))

    def discovery(self) -> Artifact:
        return self._discovery

    def sign_revocations(self, document: RevocationsDocument) -> Artifact:
        return _artifact(sign_revocations(document, self._signer))

    def sign_environment(self, document: EnvironmentDocument) -> Artifact:
        return _artifact(sign_environment(document, self._signer))

    def sign_release(self, manifest: ReleaseManifest) -> str:
        return sign_release(manifest, self._signer)

    def new_key(self, key_id: str) -> tuple[str, str]:
        key = format_api_key(key_id, secrets.token_bytes(SECRET_BYTES))
        return key, hash_api_key(self._pepper, key)


def _artifact(content: bytes) -> Artifact:
    return Artifact(etag="sha256-" + hashlib.sha256(content).hexdigest(), content=content)


def _published(key: model.ApiKey) -> ApiKey:
    kind, _, name = key.subject.partition(":")
    return ApiKey(
        id=key.id,
        hash=key.hash,
        subject=Subject(type=kind, id=name),
        expires_at=key.expires_at,
        revoked=key.revoked_at is not None,
        scope=key.scope,
    )
