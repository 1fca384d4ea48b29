# SPDX-License-Identifier: Apache-2.0
"""Whose request it is, by a token of an issuer that policy names (`docs/spec/policy-document.md`, `identity`).

Theory: a token says itself how it wants to be verified, which is how verifiers are talked into believing forgeries. So
nothing in it is followed but the `kid`, as an exact name among the keys of the one issuer that it claims; the algorithm
must be of that issuer's list and fit that key; URLs and keys in the header are a refusal. What is parsed here is what
the signature covers, byte by byte: base64url in its one shortest form, JSON that every parser reads alike.

Facts: a verification takes 45 to 110 µs, a remembered one 1. What is remembered is keyed by the SHA-256 of the whole
token and lives as long as this verifier, which one policy and one set of keys make and the next ones replace.
"""

import base64
import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from joserfc.errors import JoseError
from joserfc.jws import JWSRegistry

from policies.contracts.identity import Issuer, TokenAlgorithm
from policies.contracts.request import Subject
from proxy_addons.core.exchange import Credential, CredentialKind
from proxy_addons.core.issuer_keys import IssuerKey, IssuerKeySet
from proxy_addons.core.refused import Refused
from proxy_addons.core.strict_json import NotStrictJson, parse_object

MAX_TOKEN_BYTES: Final = 8 * 1024

# A token with its credential takes 1 KiB here.
_MAX_REMEMBERED: Final = 8192
_PARTS: Final = 3
_TOLD_EVERY: Final = timedelta(seconds=1)
_BASE64URL: Final = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)
_NAME: Final = re.compile(r"[A-Za-z0-9._@-]{1,128}", re.ASCII)
_TYPES: Final = frozenset({"jwt", "at+jwt", "application/at+jwt"})
# `crit` and `b64` change what a signature means; the others bring keys along, or say where to fetch some.
_FORBIDDEN: Final = frozenset({"crit", "b64", "jku", "jwk", "x5u", "x5c", "zip", "enc"})
# Beyond it a double no longer counts seconds, and a calendar has no year for it.
_LATEST: Final = 2**40
_INVALID: Final = "credentials-invalid"


@dataclass(frozen=True, slots=True)
class _Remembered:
    credential: Credential
    until: datetime


class TokenVerifier:
    """Verifies tokens under one policy with one set of keys.

    `on_unknown_key` is told of an issuer whose keys lack one that a token names, at most once a second for each issuer:
    it is told before anybody knows who asks.
    """

    def __init__(
        self,
        issuers: Sequence[Issuer],
        key_sets: Sequence[IssuerKeySet],
        *,
        tenant: str,
        on_unknown_key: Callable[[str], None],
    ) -> None:
        # By their source too: keys that a policy had from elsewhere are not those that this policy trusts.
        fetched = {(keys.issuer, keys.source): keys for keys in key_sets}
        self._issuers = {
            issuer.issuer: _Trusted.of(issuer, fetched.get((issuer.issuer, issuer.jwks))) for issuer in issuers
        }
        self._tenant = tenant
        self._on_unknown_key = on_unknown_key
        self._told_at: dict[str, datetime] = {}
        self._remembered: dict[bytes, _Remembered] = {}

    def authenticate(self, token: str, *, now: datetime) -> Credential:
        """Return whose `token` is.

        Raises Refused: `credentials-invalid`, `credentials-expired` or `issuer-unavailable`.
        """
        if len(token) > MAX_TOKEN_BYTES or not token.isascii():
            raise Refused(_INVALID)
        digest = hashlib.sha256(token.encode("ascii")).digest()
        known = self._remembered.get(digest)
        if known is not None and now < known.until:
            return known.credential
        credential, until = self._verify(token, digest, now)
        if len(self._remembered) >= _MAX_REMEMBERED:
            del self._remembered[next(iter(self._remembered))]
        self._remembered[digest] = _Remembered(credential, until)
        return credential

    def _verify(self, token: str, digest: bytes, now: datetime) -> tuple[Credential, datetime]:
        parts = token.split(".")
        if len(parts) != _PARTS:
            raise Refused(_INVALID)
        header_bytes, payload, signature = map(_decoded, parts)
        header, claims = _object(header_bytes), _object(payload)
        issuer = claims.get("iss")
        trusted = self._issuers.get(issuer) if isinstance(issuer, str) else None
        if trusted is None:
            raise Refused(_INVALID)
        algorithm = _algorithm(header)
        if algorithm not in trusted.issuer.algorithms:
            raise Refused(_INVALID)
        if trusted.fresh_until is None or now >= trusted.fresh_until:
            raise Refused("issuer-unavailable")
        kid = header.get("kid")
        key = trusted.keys.get(kid) if isinstance(kid, str) else None
        if key is None:
            if isinstance(kid, str):
                self._tell(trusted.issuer.issuer, now)
            raise Refused(_INVALID)
        if algorithm not in key.algorithms:
            raise Refused(_INVALID)
        signed = token.rpartition(".")[0].encode("ascii")
        _check_signature(algorithm, key, signed=signed, signature=signature)
        # Only what is signed is told apart: an expired token is expired for whoever holds it, a forged one is invalid.
        expires_at = _check_claims(claims, trusted.issuer, tenant=self._tenant, now=now)
        credential = Credential(
            kind=CredentialKind.TOKEN,
            key_id=f"{trusted.issuer.id}:{hashlib.sha256(key.kid.encode()).hexdigest()[:16]}",
            subject=_subject(claims, trusted.issuer),
            token_id=_token_id(claims, trusted.issuer),
            # ECDSA lets whoever holds a token write its signature in a second way: what is signed tells it for sure.
            digests=(hashlib.sha256(signed).hexdigest(), digest.hex()),
            issued_at=datetime.fromtimestamp(_seconds(claims, "iat"), UTC),
        )
        return credential, min(expires_at, trusted.fresh_until)

    def _tell(self, issuer: str, now: datetime) -> None:
        told_at = self._told_at.get(issuer)
        if told_at is None or abs(now - told_at) >= _TOLD_EVERY:  # also where the clock was set back
            self._told_at[issuer] = now
            self._on_unknown_key(issuer)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Trusted:
    """An issuer with its keys by `kid`, and until when they may be used; None where there are none."""

    issuer: Issuer
    keys: Mapping[str, IssuerKey]
    fresh_until: datetime | None

    @classmethod
    def of(cls, issuer: Issuer, fetched: IssuerKeySet | None) -> "_Trusted":
        if fetched is None:
            return cls(issuer=issuer, keys={}, fresh_until=None)
        return cls(
            issuer=issuer,
            keys={key.kid: key for key in fetched.keys},
            fresh_until=fetched.fetched_at + timedelta(seconds=issuer.max_key_age_s),
        )


def _decoded(part: str) -> bytes:
    if _BASE64URL.fullmatch(part) is None:
        raise Refused(_INVALID)
    try:
        raw = base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
    except ValueError:
        raise Refused(_INVALID) from None
    if base64.urlsafe_b64encode(raw).rstrip(b"=") != part.encode("ascii"):  # bits that are not used
        raise Refused(_INVALID)
    return raw


def _object(raw: bytes) -> dict[str, Any]:
    try:
        return parse_object(raw)
    except NotStrictJson:
        raise Refused(_INVALID) from None


def _algorithm(header: Mapping[str, Any]) -> TokenAlgorithm:
    stated = header.get("typ", "JWT")
    if _FORBIDDEN & header.keys() or not isinstance(stated, str) or stated.lower() not in _TYPES:
        raise Refused(_INVALID)
    try:
        return TokenAlgorithm(str(header.get("alg")))
    except ValueError:
        raise Refused(_INVALID) from None


def _check_signature(algorithm: TokenAlgorithm, key: IssuerKey, *, signed: bytes, signature: bytes) -> None:
    verifier = JWSRegistry.algorithms[algorithm.value]
    try:
        verifier.check_key(key.key)
        right = verifier.verify(signed, signature, key.key)
    except (JoseError, ValueError, TypeError):
        raise Refused(_INVALID) from None
    if right is not True:
        raise Refused(_INVALID)


def _check_claims(claims: Mapping[str, Any], issuer: Issuer, *, tenant: str, now: datetime) -> datetime:
    """Return when the token ends, skew included. Everything but the time is checked before the time."""
    stated = claims.get("aud")
    audiences = stated if isinstance(stated, list) else [stated]
    if not any(isinstance(audience, str) and audience in issuer.audiences for audience in audiences):
        raise Refused(_INVALID)
    if issuer.tenant_claim and claims.get(issuer.tenant_claim) != tenant:
        raise Refused(_INVALID)
    expires, issued = _seconds(claims, "exp"), _seconds(claims, "iat")
    not_before = _seconds(claims, "nbf") if "nbf" in claims else issued
    if not 0 < expires - issued <= issuer.max_lifetime_s:
        raise Refused(_INVALID)
    at = now.timestamp()
    if max(issued, not_before) > at + issuer.clock_skew_s:
        raise Refused(_INVALID)
    if expires + issuer.clock_skew_s <= at:
        raise Refused("credentials-expired")
    return datetime.fromtimestamp(expires + issuer.clock_skew_s, UTC)


def _seconds(claims: Mapping[str, Any], name: str) -> float:
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < _LATEST:
        raise Refused(_INVALID)
    return float(value)


def _token_id(claims: Mapping[str, Any], issuer: Issuer) -> tuple[str, str] | None:
    stated = claims.get("jti")
    return (issuer.issuer, stated) if isinstance(stated, str) else None


def _subject(claims: Mapping[str, Any], issuer: Issuer) -> Subject:
    value = claims.get(issuer.subject.claim)
    name = issuer.subject.prefix + value if isinstance(value, str) and value else ""
    if _NAME.fullmatch(name) is None:
        raise Refused(_INVALID)
    return Subject(type=issuer.subject.type.value, id=name, groups=_groups(claims, issuer))


def _groups(claims: Mapping[str, Any], issuer: Issuer) -> tuple[str, ...]:
    if issuer.groups is None or issuer.groups.claim not in claims:
        return ()
    stated = claims[issuer.groups.claim]
    values = [stated] if isinstance(stated, str) else stated
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise Refused(_INVALID)
    names = issuer.groups.names
    return tuple(sorted({names[value] for value in values if value in names}))
