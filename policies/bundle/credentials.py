# SPDX-License-Identifier: Apache-2.0
"""API keys, and the signed document that tells the proxy which of them are in force (`docs/spec/bundle.md`).

No key is in the document, and none can be had from it: a hash is keyed with a pepper that only control plane and
proxies hold, over 32 random bytes.

Facts: a document is of the first schema that can say what it says. So nodes of the release before go on reading one
without scopes and blocked subjects; one that has them they refuse whole, since they would let a scoped key do all.
"""

import base64
import hmac
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from policies.bundle.jws import SigningKey, VerificationKeys, open_signed, sign
from policies.contracts.codec import JSON
from policies.contracts.errors import BundleRejected
from policies.contracts.request import Subject
from policies.contracts.scope import UNSCOPED, Scope

SCHEMA: Final = "gatehouse.credentials/2"
SCHEMA_WITHOUT_SCOPES: Final = "gatehouse.credentials/1"
SECRET_BYTES: Final = 32

_KEY: Final = re.compile(r"gh_([A-Za-z0-9-]{1,64})_[A-Za-z0-9_-]{43}")
_HASH: Final = re.compile(r"[0-9a-f]{64}")
_MAX_DOCUMENT_BYTES: Final = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """A key as the proxy knows it: its public id, its hash, whose it is, what for, and how long it holds."""

    id: str
    hash: str
    subject: Subject
    expires_at: datetime | None = None
    revoked: bool = False
    scope: Scope = UNSCOPED


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialsDocument:
    """Every API key of one environment of one tenant. `epoch` only grows.

    `blocked` are subjects, `TYPE:ID`, that no credential of any kind identifies any more.
    """

    tenant: str
    environment: str
    epoch: int
    issued_at: datetime
    keys: tuple[ApiKey, ...]
    blocked: tuple[str, ...] = ()

    @property
    def schema(self) -> str:
        if self.blocked or any(key.scope != UNSCOPED for key in self.keys):
            return SCHEMA
        return SCHEMA_WITHOUT_SCOPES


def format_api_key(key_id: str, secret: bytes) -> str:
    """Return the API key of that id with these 32 random bytes. It is shown once and kept nowhere."""
    key = f"gh_{key_id}_{base64.urlsafe_b64encode(secret).rstrip(b'=').decode()}"
    if len(secret) != SECRET_BYTES or parse_api_key(key) != key_id:
        raise ValueError("an API key has an id of letters, digits and '-', and 32 random bytes")
    return key


def parse_api_key(text: str) -> str | None:
    """Return the public id of an API key; None where `text` does not have the form of one."""
    matched = _KEY.fullmatch(text)
    return matched[1] if matched else None


def hash_api_key(pepper: bytes, key: str) -> str:
    """Return the hexadecimal HMAC-SHA256 of the whole key, under which it is kept."""
    return hmac.digest(pepper, key.encode(), "sha256").hex()


def sign_credentials(document: CredentialsDocument, signer: SigningKey) -> bytes:
    """Return the signed form of `document`. The same document gives the same bytes."""
    return sign(_to_json(document), signer).encode()


def verify_credentials(raw: bytes, *, keys: VerificationKeys, tenant: str, environment: str) -> CredentialsDocument:
    """Return the document of `raw`. Raises BundleRejected: `signature-invalid`, `snapshot-invalid` or `wrong-scope`."""
    if len(raw) > _MAX_DOCUMENT_BYTES or not raw.isascii():
        raise BundleRejected("signature-invalid", "the credentials document is not a compact JWS of a bearable size")
    opened = open_signed(raw.decode("ascii"), keys)
    try:
        document = _from_json(opened)
        same = _to_json(document) == opened
    except (KeyError, TypeError, ValueError, AttributeError):
        raise BundleRejected("snapshot-invalid", "the credentials document is not of a schema known here") from None
    unique = len({key.id for key in document.keys}) == len(document.keys)
    if not same or not unique or not all(_HASH.fullmatch(key.hash) for key in document.keys):
        raise BundleRejected("snapshot-invalid", "the credentials document has a member that is not known here")
    if (document.tenant, document.environment) != (tenant, environment):
        raise BundleRejected("wrong-scope", "the credentials document is for another tenant or environment")
    return document


def _to_json(document: CredentialsDocument) -> dict[str, JSON]:
    scoped = document.schema == SCHEMA
    said: dict[str, JSON] = {
        "schema": document.schema,
        "tenant": document.tenant,
        "environment": document.environment,
        "epoch": document.epoch,
        "issued_at": _time(document.issued_at),
        "keys": [_key_to_json(key, scoped=scoped) for key in sorted(document.keys, key=lambda key: key.id)],
    }
    return said | {"blocked": sorted(set(document.blocked))} if scoped else said


def _key_to_json(key: ApiKey, *, scoped: bool) -> dict[str, JSON]:
    said: dict[str, JSON] = {
        "id": key.id,
        "hash": key.hash,
        "subject": {"type": key.subject.type, "id": key.subject.id},
        "expires_at": None if key.expires_at is None else _time(key.expires_at),
        "revoked": key.revoked,
    }
    if scoped:
        said["scope"] = {"operations": _names(key.scope.operations), "models": _names(key.scope.models)}
    return said


def _names(names: tuple[str, ...] | None) -> JSON:
    return None if names is None else sorted(set(names))


def _from_json(raw: Any) -> CredentialsDocument:
    """Read what `_to_json` gave. What is read otherwise is found by the caller, who writes it again and compares."""
    if raw["schema"] not in {SCHEMA, SCHEMA_WITHOUT_SCOPES} or type(raw["epoch"]) is not int:
        raise ValueError("not a credentials document")
    scoped = raw["schema"] == SCHEMA
    return CredentialsDocument(
        tenant=raw["tenant"],
        environment=raw["environment"],
        epoch=raw["epoch"],
        issued_at=_read_time(raw["issued_at"]),
        keys=tuple(
            ApiKey(
                id=key["id"],
                hash=key["hash"],
                subject=Subject(type=key["subject"]["type"], id=key["subject"]["id"]),
                expires_at=None if key["expires_at"] is None else _read_time(key["expires_at"]),
                # Anything but a plain false revokes: a key must not be let in by a value nobody thought of.
                revoked=key["revoked"] is not False,
                scope=_read_scope(key["scope"]) if scoped else UNSCOPED,
            )
            for key in raw["keys"]
        ),
        blocked=tuple(raw["blocked"]) if scoped else (),
    )


def _read_scope(raw: Any) -> Scope:
    operations, models = raw["operations"], raw["models"]
    return Scope(
        operations=None if operations is None else tuple(operations),
        models=None if models is None else tuple(models),
    )


def _time(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _read_time(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError("a time without its zone")
    return at
