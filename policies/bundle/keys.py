# SPDX-License-Identifier: Apache-2.0
"""ES256 keys, and compact signatures with them (RFC 7515): what a stock OPA can verify.

OPA knows no EdDSA for bundles, hence ECDSA on P-256. A signature differs each time it is made, so signed bytes are
kept, not made again.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey

from policies.contracts.codec import JSON, canonical_bytes
from policies.contracts.errors import BundleRejected

ALGORITHM: Final = "ES256"
# Every other member a header may have tells a verifier to use some other key or reading: refused, not ignored.
_HEADER_MEMBERS: Final = frozenset({"alg", "kid", "typ"})


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key and the id by which verifiers know it."""

    key_id: str
    private_key: ECKey

    def sign(self, payload: Mapping[str, JSON]) -> str:
        """Return the compact JWS of `payload`."""
        header = {"alg": ALGORITHM, "typ": "JWT", "kid": self.key_id}
        return jws.serialize_compact(header, canonical_bytes(payload), self.private_key, algorithms=[ALGORITHM])


def load_signing_key(pem: bytes, *, key_id: str) -> SigningKey:
    """Return the P-256 private key of `pem`. Raises ValueError for any other."""
    key = serialization.load_pem_private_key(pem, password=None)
    _check_curve(key)
    return SigningKey(key_id, ECKey.import_key(pem))


def load_verification_keys(pems: Mapping[str, bytes]) -> dict[str, ECKey]:
    """Return the P-256 public keys of `pems`, by key id. Raises ValueError for any other."""
    for pem in pems.values():
        _check_curve(serialization.load_pem_public_key(pem))
    return {key_id: ECKey.import_key(pem) for key_id, pem in pems.items()}


def verify_jws(token: str, keys: Mapping[str, ECKey]) -> dict[str, Any]:
    """Return the payload of a compact JWS that one of `keys` signed with ES256.

    The key is the configured one that the header's `kid` names. Raises BundleRejected `signature-invalid`.
    """
    try:
        found = jws.extract_compact(token.encode("ascii"))
        header = found.protected
        if header.keys() - _HEADER_MEMBERS or header.get("alg") != ALGORITHM:
            raise BundleRejected("signature-invalid", f"its header is not that of a signature with {ALGORITHM}")
        key = keys.get(str(header.get("kid")))
        if key is None:
            raise BundleRejected("signature-invalid", "it was made with a key that is not configured")
        payload = json.loads(jws.deserialize_compact(token, key, algorithms=[ALGORITHM]).payload)
    except (JoseError, ValueError, TypeError, RecursionError) as exc:
        raise BundleRejected("signature-invalid", f"the signature does not hold ({type(exc).__name__})") from exc
    if not isinstance(payload, dict):
        raise BundleRejected("signature-invalid", "its payload is not an object")
    return payload


def _check_curve(key: object) -> None:
    elliptic = isinstance(key, ec.EllipticCurvePrivateKey | ec.EllipticCurvePublicKey)
    if not (elliptic and isinstance(getattr(key, "curve", None), ec.SECP256R1)):
        raise ValueError("a bundle key is not an elliptic-curve key on P-256")
