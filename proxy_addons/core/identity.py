# SPDX-License-Identifier: Apache-2.0
"""Whose request it is, by the one credential on its head.

Rules: exactly one credential, in one of three forms: `Authorization: Bearer gh_…` or `x-api-key: gh_…`, an API key, or
`Authorization: Bearer TOKEN`. More than one, of whatever form, is refused even where they agree: the upstream or a log
could go by the other. A key is looked up by its public id and compared by keyed hash in constant time; the ring holds
no key. A client certificate is no header, so that it may stand beside one (`proxy_addons.addons.identify`).
"""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Self

from policies.bundle.credentials import ApiKey, CredentialsDocument, hash_api_key, parse_api_key
from policies.contracts.request import Subject
from proxy_addons.core.exchange import Credential, CredentialKind
from proxy_addons.core.firewall import Headers, query_parameter_names, values_of
from proxy_addons.core.identity_tokens import MAX_TOKEN_BYTES
from proxy_addons.core.refused import Refused

_MAX_KEY_BYTES: Final = 256
_SCHEME: Final = b"bearer "
# Forms in which other gateways take a credential. None is taken here, and beside one that is it is one too many.
_OTHER_HEADERS: Final = (b"api-key", b"x-goog-api-key", b"proxy-authorization")
_QUERY_NAMES: Final = frozenset({b"api_key", b"api-key", b"apikey", b"key", b"access_token", b"token"})
# Compared with where an id is not known, so that the answer takes as long as for one that is.
_NO_HASH: Final = "0" * 64


@dataclass(frozen=True, slots=True)
class Presented:
    """The one credential that a head shows, unverified."""

    text: str = field(repr=False)
    is_token: bool


def credential_of(headers: Headers, target: bytes, *, certified: bool = False) -> Presented | None:
    """Return the one credential that the head of a request shows; None where it shows none.

    Raises Refused where there is more than one, or one in a form that is not taken. `certified` says that a client
    certificate identifies somebody: then one in such a form is one too many.
    """
    bearers, keys = values_of(headers, b"authorization"), values_of(headers, b"x-api-key")
    others = sum(len(values_of(headers, name)) for name in _OTHER_HEADERS)
    if b"?" in target:
        others += sum(name in _QUERY_NAMES for name in query_parameter_names(target))
    if len(bearers) + len(keys) + others > 1 or (others and certified):
        raise Refused("credentials-ambiguous")
    match bearers, keys:
        case [value], []:
            scheme, key = value[: len(_SCHEME)], value[len(_SCHEME) :]
            if scheme.lower() != _SCHEME:
                raise Refused("credentials-invalid")
            is_token = b"." in key  # which no API key has, and every token
        case [], [key]:
            is_token = False
        case _ if others:
            raise Refused("credentials-missing")
        case _:
            return None
    if len(key) > (MAX_TOKEN_BYTES if is_token else _MAX_KEY_BYTES) or not key.isascii():
        raise Refused("credentials-invalid")
    return Presented(key.decode("ascii"), is_token)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRing:
    """The API keys in force, by id, and who is blocked. Built once for each credentials document, never changed.

    `credentials` remembers what was returned of a key before.
    """

    epoch: int
    pepper: bytes
    keys: Mapping[str, ApiKey]
    blocked: frozenset[str] = frozenset()
    credentials: dict[str, Credential] = field(default_factory=dict, init=False, repr=False, compare=False)

    @classmethod
    def of(cls, document: CredentialsDocument, *, pepper: bytes) -> Self:
        return cls(
            epoch=document.epoch,
            pepper=pepper,
            keys={key.id: key for key in document.keys},
            blocked=frozenset(document.blocked),
        )

    def authenticate(self, key: str, *, now: datetime) -> Credential:
        """Return whose `key` is. Raises Refused where it is unknown, wrong, revoked or expired, checked in that order.

        Only who holds the right key is told that it was revoked or has expired.
        """
        key_id = parse_api_key(key)
        known = None if key_id is None else self.keys.get(key_id)
        right = hmac.compare_digest(hash_api_key(self.pepper, key), _NO_HASH if known is None else known.hash)
        if known is None or not right:
            raise Refused("credentials-invalid")
        if known.revoked:
            raise Refused("credentials-revoked")
        if known.expires_at is not None and known.expires_at <= now:
            raise Refused("credentials-expired")
        credential = self.credentials.get(known.id)  # made on first use: a document has many keys that are never shown
        if credential is None:
            credential = Credential(key_id=known.id, subject=known.subject, scope=known.scope)
            self.credentials[known.id] = credential
        return credential

    def refuse_blocked(self, subject: Subject) -> None:
        """Raise Refused where `subject` is blocked, by whatever credential it was identified."""
        if self.blocked and str(subject) in self.blocked:
            raise Refused("credentials-revoked")

    def revoke(self, credential: Credential) -> bool:
        """Tell whether this document refuses a credential that was let in before, maybe by the one before it."""
        if self.blocked and str(credential.subject) in self.blocked:
            return True
        if credential.kind is not CredentialKind.API_KEY:
            return False
        known = self.keys.get(credential.key_id)
        return known is None or known.revoked
