# SPDX-License-Identifier: Apache-2.0
"""API keys, and the signed document by which the proxy knows them (`docs/spec/bundle.md`, "Service")."""

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from policies.bundle.keys import SigningKey, load_verification_keys, verify_jws
from policies.contracts.codec import JSON
from policies.contracts.errors import BundleRejected
from policies.contracts.request import Subject

SCHEMA: Final = "gatehouse.credentials/1"
_SCOPE: Final = "credentials"
_KEY: Final = re.compile(r"gh_([0-9A-Za-z]{1,64})_[A-Za-z0-9_-]{43}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """One API key as the proxy knows it. `hash` is `hash_api_key` of the key; `expires_at` is aware UTC."""

    id: str
    hash: str
    subject: Subject
    expires_at: datetime | None
    revoked: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialsDocument:
    """Every API key of one environment. `epoch` only grows: a change of any key is a new epoch."""

    tenant: str
    environment: str
    epoch: int
    issued_at: datetime
    keys: tuple[ApiKey, ...]


def format_api_key(key_id: str, secret: bytes) -> str:
    """Return the API key `gh_<id>_<secret>`. `secret` is 32 random bytes."""
    return f"gh_{key_id}_{base64.urlsafe_b64encode(secret).rstrip(b'=').decode()}"


def parse_api_key(text: str) -> str | None:
    """Return the id within an API key, None where `text` has not the form of one."""
    match = _KEY.fullmatch(text)
    return match[1] if match else None


def hash_api_key(pepper: bytes, key: str) -> str:
    """Return the hexadecimal HMAC-SHA256 under which `key` is kept: without the pepper a stolen list tests no guess."""
    return hmac.new(pepper, key.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()


def sign_credentials(document: CredentialsDocument, signer: SigningKey) -> bytes:
    """Return `document` as a compact JWS."""
    keys: list[JSON] = [
        {
            "id": key.id,
            "hash": key.hash,
            "subject": {"type": key.subject.type, "id": key.subject.id},
            "expires_at": None if key.expires_at is None else key.expires_at.isoformat(),
            "revoked": key.revoked,
        }
        for key in document.keys
    ]
    return signer.sign(
        {
            "schema": SCHEMA,
            "scope": _SCOPE,
            "tenant": document.tenant,
            "environment": document.environment,
            "epoch": document.epoch,
            "issued_at": document.issued_at.isoformat(),
            "keys": keys,
        },
    ).encode()


def verify_credentials(
    raw: bytes,
    *,
    keys: Mapping[str, bytes],
    tenant: str,
    environment: str,
) -> CredentialsDocument:
    """Return the document that `raw` carries. `keys` are PEM public keys by key id. Raises BundleRejected.

    That `epoch` exceeds the one in force is for the caller to see to.
    """
    try:
        token = raw.decode("ascii")
    except UnicodeDecodeError as exc:
        raise BundleRejected("signature-invalid", "it is not a compact JWS") from exc
    payload = verify_jws(token, load_verification_keys(keys))
    # A signed bundle's signature must not pass for a credentials document, nor the other way round.
    if payload.get("schema") != SCHEMA or payload.get("scope") != _SCOPE:
        raise BundleRejected("snapshot-invalid", f"it is not a {SCHEMA}")
    if (payload.get("tenant"), payload.get("environment")) != (tenant, environment):
        raise BundleRejected("wrong-scope", "it is for another tenant or environment")
    try:
        return _document(payload)
    except (ValueError, KeyError, TypeError) as exc:
        raise BundleRejected("snapshot-invalid", f"it is not a {SCHEMA} in form") from exc


def _document(payload: Mapping[str, Any]) -> CredentialsDocument:
    epoch, keys = payload["epoch"], tuple(_key(key) for key in payload["keys"])
    if not isinstance(epoch, int) or isinstance(epoch, bool) or len({key.id for key in keys}) != len(keys):
        raise ValueError("the epoch is not a number, or a key id occurs twice")
    return CredentialsDocument(
        tenant=payload["tenant"],
        environment=payload["environment"],
        epoch=epoch,
        issued_at=_time(payload["issued_at"]),
        keys=keys,
    )


def _key(raw: Mapping[str, Any]) -> ApiKey:
    match raw:
        case {
            "id": str(key_id),
            "hash": str(digest),
            "subject": {"type": str(kind), "id": str(name)},
            "expires_at": str() | None as expires_at,
            "revoked": bool(revoked),
        }:
            return ApiKey(
                id=key_id,
                hash=digest,
                subject=Subject(type=kind, id=name),
                expires_at=None if expires_at is None else _time(expires_at),
                revoked=revoked,
            )
        case _:
            raise ValueError("a key is not in form")


def _time(text: str) -> datetime:
    time = datetime.fromisoformat(text)
    if time.tzinfo is None:
        raise ValueError("a time has no zone")
    return time
