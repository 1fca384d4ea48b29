# SPDX-License-Identifier: Apache-2.0
"""A token issuer for tests: keys, tokens as it would sign them, and tokens as an attacker would write them."""

import base64
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from joserfc.jwk import ECKey, OKPKey, RSAKey
from joserfc.jws import JWSRegistry

from policies.contracts.identity import Issuer, TokenAlgorithm, TokenGroups, TokenSubject
from proxy_addons.core.issuer_keys import IssuerKeySet, read_jwks

NOW = datetime(2026, 11, 20, 18, 0, tzinfo=UTC)
URL = "https://login.example.com"

# Made once: an RSA key takes a second.
RSA = RSAKey.generate_key(2048)
EC = ECKey.generate_key("P-256")
EC384 = ECKey.generate_key("P-384")
ED = OKPKey.generate_key("Ed25519")
KEYS = {"rsa-1": RSA, "ec-1": EC, "ec-384": EC384, "ed-1": ED}


def encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def claims(**changes: Any) -> dict[str, Any]:
    """Return claims that are good at NOW; a change to None leaves a claim out."""
    issued = int(NOW.timestamp())
    stated = {"iss": URL, "aud": "gatehouse", "sub": "alice", "iat": issued, "exp": issued + 600} | changes
    return {name: value for name, value in stated.items() if value is not None}


def signed(header: dict[str, Any] | bytes, payload: dict[str, Any] | bytes, key: Any, *, algorithm: str) -> str:
    """Return a compact JWS of any header and payload, signed with `key` under `algorithm`, whatever the header says."""
    parts = [part if isinstance(part, bytes) else json.dumps(part).encode() for part in (header, payload)]
    text = ".".join(map(encoded, parts))
    return f"{text}.{encoded(JWSRegistry.algorithms[algorithm].sign(text.encode(), key))}"


def token(*, kid: str = "rsa-1", algorithm: str = "RS256", key: Any = None, header: Any = None, **changes: Any) -> str:
    stated = {"alg": algorithm, "kid": kid, "typ": "JWT"} | (header or {})
    return signed(stated, claims(**changes), key or KEYS[kid], algorithm=algorithm)


def jwks(keys: dict[str, Any] | None = None) -> bytes:
    """Return the JSON Web Key Set of `keys`, by their `kid`."""
    published = KEYS if keys is None else keys
    return json.dumps(
        {"keys": [{**key.as_dict(private=False), "kid": kid, "use": "sig"} for kid, key in published.items()]}
    ).encode()


def issuer(**changes: Any) -> Issuer:
    members: dict[str, Any] = {
        "id": "corp",
        "issuer": URL,
        "audiences": ("gatehouse", "other"),
        "algorithms": tuple(TokenAlgorithm),
        "jwks": "discovery",
        "clock_skew_s": 30,
        "max_lifetime_s": 3600,
        "max_key_age_s": 86400,
        "subject": TokenSubject(),
        "groups": TokenGroups(claim="groups", names={"/ml/staff": "corp-staff", "/ml/leads": "corp-leads"}),
        "tenant_claim": "",
    }
    return Issuer(**members | changes)


def key_set(published: dict[str, Any] | None = None, **changes: Any) -> IssuerKeySet:
    keys = read_jwks(jwks(published))
    members: dict[str, Any] = {"issuer": URL, "source": "discovery", "fetched_at": NOW, "keys": keys}
    return IssuerKeySet(**members | changes)


@dataclass
class Told:
    """What a verifier said of keys that it does not have."""

    issuers: list[str] = field(default_factory=list)

    def __call__(self, name: str) -> None:
        self.issuers.append(name)
