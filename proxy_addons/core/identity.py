# SPDX-License-Identifier: Apache-2.0
"""Whose request it is, by the one API key on its head.

Rules: exactly one credential, in one of two forms: `Authorization: Bearer gh_…` or `x-api-key: gh_…`. More than one,
of whatever form, is refused even where they agree: the upstream or a log could go by the other. A key is looked up by
its public id and compared by keyed hash in constant time; the ring holds no key.
"""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Self

from policies.bundle.credentials import ApiKey, CredentialsDocument, hash_api_key, parse_api_key
from policies.contracts.request import Subject
from proxy_addons.core.exchange import Credential
from proxy_addons.core.firewall import Headers, query_parameter_names, values_of
from proxy_addons.core.refused import Refused

_MAX_KEY_BYTES: Final = 256
_SCHEME: Final = b"bearer "
# Forms in which other gateways take a credential. None is taken here, and beside one that is it is one too many.
_OTHER_HEADERS: Final = (b"api-key", b"x-goog-api-key", b"proxy-authorization")
_QUERY_NAMES: Final = frozenset({b"api_key", b"api-key", b"apikey", b"key", b"access_token", b"token"})
# Compared with where an id is not known, so that the answer takes as long as for one that is.
_NO_HASH: Final = "0" * 64


def credential_of(headers: Headers, target: bytes) -> str:
    """Return the one API key of a request, as text. Raises Refused where there is none, or more than one."""
    bearers, keys = values_of(headers, b"authorization"), values_of(headers, b"x-api-key")
    others = sum(len(values_of(headers, name)) for name in _OTHER_HEADERS)
    if b"?" in target:
        others += sum(name in _QUERY_NAMES for name in query_parameter_names(target))
    if len(bearers) + len(keys) + others > 1:
        raise Refused("credentials-ambiguous")
    match bearers, keys:
        case [value], []:
            scheme, key = value[: len(_SCHEME)], value[len(_SCHEME) :]
            if scheme.lower() != _SCHEME:
                raise Refused("credentials-invalid")
        case [], [key]:
            pass
        case _:
            raise Refused("credentials-missing")
    if len(key) > _MAX_KEY_BYTES or not key.isascii():
        raise Refused("credentials-invalid")
    return key.decode("ascii")


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRing:
    """The API keys in force, by id, and who is blocked. Built once for each credentials document, never changed."""

    epoch: int
    pepper: bytes
    keys: Mapping[str, ApiKey]
    blocked: frozenset[str] = frozenset()

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
        self.refuse_blocked(known.subject)
        return Credential(key_id=known.id, subject=known.subject, scope=known.scope)

    def refuse_blocked(self, subject: Subject) -> None:
        """Raise Refused where `subject` is blocked, by whatever credential it was identified."""
        if self.blocked and str(subject) in self.blocked:
            raise Refused("credentials-revoked")
