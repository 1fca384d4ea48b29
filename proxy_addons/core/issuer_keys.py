# SPDX-License-Identifier: Apache-2.0
"""The public keys of token issuers: read from what an issuer serves, kept on disk, given to workers.

Rules: of a key only its public members are kept, whatever else an issuer publishes. A key that cannot be used for
signatures we take is passed over; a set in which two usable keys have one `kid`, or that has no usable key, is refused
whole, so that the set of before stays. Sizes are bounded, since a verification costs what its key makes it cost.
"""

import base64
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, TypeAlias

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey

from policies.contracts.codec import JSON, canonical_bytes
from policies.contracts.identity import TokenAlgorithm
from proxy_addons.core.strict_json import NotStrictJson, parse_object

PublicKey: TypeAlias = RSAKey | ECKey | OKPKey

# Large issuers publish a dozen keys, with certificates beside each.
MAX_SET_BYTES: Final = 256 * 1024
MAX_KEYS: Final = 64
SCHEMA: Final = "gatehouse.issuer-keys/1"

_MAX_KID_CHARS: Final = 256
_RSA_BITS: Final = range(2048, 8192 + 1)
_MAX_RSA_EXPONENT: Final = 2**32
_PUBLIC_MEMBERS: Final = {"RSA": ("n", "e"), "EC": ("crv", "x", "y"), "OKP": ("crv", "x")}
_RSA_ALGORITHMS: Final = frozenset(name for name in TokenAlgorithm if name.value[:2] in {"RS", "PS"})
_CURVES: Final = {
    ("EC", "P-256"): frozenset({TokenAlgorithm.ES256}),
    ("EC", "P-384"): frozenset({TokenAlgorithm.ES384}),
    ("OKP", "Ed25519"): frozenset({TokenAlgorithm.EDDSA}),
}


class KeysInvalid(Exception):
    """What an issuer serves cannot be used. The text is one of a few, and tells nothing of the content."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuerKey:
    """One public key, by its `kid`, and the signatures it may be asked for. `jwk` has its public members only."""

    kid: str
    algorithms: frozenset[TokenAlgorithm]
    jwk: Mapping[str, str]
    key: PublicKey = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuerKeySet:
    """The keys of one issuer, and when they were last had from `source`: a URL, or `discovery`."""

    issuer: str
    source: str
    fetched_at: datetime
    keys: tuple[IssuerKey, ...]


def read_discovery(body: bytes, *, issuer: str) -> str:
    """Return the URL of the keys that an OpenID provider's configuration states. Raises KeysInvalid.

    The document must say that it is of `issuer`: one that was served for another is not believed about this one.
    """
    try:
        stated = parse_object(body)
    except NotStrictJson:
        raise KeysInvalid("discovery-not-json") from None
    if stated.get("issuer") != issuer:
        raise KeysInvalid("discovery-of-another-issuer")
    url = stated.get("jwks_uri")
    if not isinstance(url, str) or not url:
        raise KeysInvalid("discovery-without-keys")
    return url


def read_jwks(body: bytes) -> tuple[IssuerKey, ...]:
    """Return the usable keys of a JSON Web Key Set. Raises KeysInvalid."""
    if len(body) > MAX_SET_BYTES:
        raise KeysInvalid("keys-too-large")
    try:
        stated = parse_object(body).get("keys")
    except NotStrictJson:
        raise KeysInvalid("keys-not-json") from None
    if not isinstance(stated, list) or len(stated) > MAX_KEYS:
        raise KeysInvalid("keys-not-a-set")
    keys = tuple(key for raw in stated if (key := _usable(raw)) is not None)
    if not keys:
        raise KeysInvalid("no-usable-key")
    if len({key.kid for key in keys}) != len(keys):
        raise KeysInvalid("key-id-twice")
    return keys


def to_bytes(sets: Iterable[IssuerKeySet]) -> bytes:
    """Return the file that holds `sets`: what `from_bytes` reads."""
    issuers: list[JSON] = [
        {
            "issuer": each.issuer,
            "source": each.source,
            "fetched_at": each.fetched_at.astimezone(UTC).isoformat(),
            "keys": tuple(dict(key.jwk) for key in each.keys),
        }
        for each in sorted(sets, key=lambda each: each.issuer)
    ]
    return canonical_bytes({"schema": SCHEMA, "issuers": tuple(issuers)})


def from_bytes(content: bytes) -> tuple[IssuerKeySet, ...]:
    """Return the sets of a file. Raises KeysInvalid: a file that went bad here holds no key."""
    try:
        raw = json.loads(content)
        if raw["schema"] != SCHEMA:
            raise KeysInvalid("file-of-another-schema")
        return tuple(
            IssuerKeySet(
                issuer=str(each["issuer"]),
                source=str(each["source"]),
                fetched_at=_aware(datetime.fromisoformat(each["fetched_at"])),
                keys=read_jwks(json.dumps({"keys": each["keys"]}).encode()),
            )
            for each in raw["issuers"]
        )
    except (ValueError, KeyError, TypeError, RecursionError):
        raise KeysInvalid("file-unreadable") from None


def _aware(at: datetime) -> datetime:
    if at.tzinfo is None:
        raise ValueError("a time without its zone")
    return at


def _usable(raw: Any) -> IssuerKey | None:
    """Return the key of one member of a set; None where it is not for signatures that we take."""
    if not isinstance(raw, dict) or raw.get("use", "sig") != "sig":
        return None
    operations = raw.get("key_ops", ["verify"])
    kid, kind = raw.get("kid"), raw.get("kty")
    if not isinstance(operations, list) or "verify" not in operations:
        return None
    if not isinstance(kid, str) or not 0 < len(kid) <= _MAX_KID_CHARS or not isinstance(kind, str):
        return None
    public = {name: raw.get(name) for name in _PUBLIC_MEMBERS.get(kind, ())}
    if not public or not all(isinstance(value, str) for value in public.values()):
        return None
    algorithms = _RSA_ALGORITHMS if kind == "RSA" else _CURVES.get((kind, str(public["crv"])), frozenset())
    if "alg" in raw:
        algorithms &= {name for name in TokenAlgorithm if name.value == raw["alg"]}
    jwk: dict[str, str] = {"kty": kind, "kid": kid} | {name: str(value) for name, value in public.items()}
    if "alg" in raw and algorithms:
        jwk["alg"] = raw["alg"]
    key = _imported(jwk) if algorithms else None
    return None if key is None else IssuerKey(kid=kid, algorithms=algorithms, jwk=jwk, key=key)


def _imported(jwk: Mapping[str, str]) -> PublicKey | None:
    public: dict[str, str | list[str]] = {name: value for name, value in jwk.items() if name != "alg"}
    try:
        if jwk["kty"] == "RSA":
            modulus, exponent = _number(jwk["n"]), _number(jwk["e"])
            if modulus.bit_length() not in _RSA_BITS or exponent % 2 == 0 or exponent >= _MAX_RSA_EXPONENT:
                return None
            return _checked(RSAKey.import_key(public))
        return _checked((ECKey if jwk["kty"] == "EC" else OKPKey).import_key(public))
    except (JoseError, ValueError, TypeError, OverflowError):
        return None


def _checked(key: PublicKey) -> PublicKey:
    """Return `key` once it has been built whole: joserfc builds it at its first use, which must not be a request's."""
    key.public_key  # noqa: B018  # a property that raises for a point that is not on its curve
    return key


def _number(text: str) -> int:
    return int.from_bytes(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)), "big")
