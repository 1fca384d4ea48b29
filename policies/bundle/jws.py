# SPDX-License-Identifier: Apache-2.0
"""Compact JWS with ES256, in the one form that Gatehouse writes and OPA reads.

Theory: a signature is made deterministically (RFC 6979), so that the same payload gives the same bytes, and a reader
takes only the very bytes the writer would have written: a fixed header, base64url without padding or stray bits. What
cannot be said in two ways cannot be altered without being noticed.
"""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from policies.contracts.codec import JSON, canonical_bytes
from policies.contracts.errors import BundleRejected

_COORDINATE_BYTES: Final = 32

VerificationKeys = Mapping[str, bytes]
"""Public keys in PEM, by key id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningKey:
    """An EC P-256 private key and the id under which readers know its public half."""

    id: str
    key: ec.EllipticCurvePrivateKey

    def __repr__(self) -> str:
        return f"SigningKey(id={self.id!r})"


def load_signing_key(pem: bytes, *, key_id: str) -> SigningKey:
    """Return the EC P-256 private key of `pem`. Raises ValueError for any other key; no text shows the key."""
    try:
        key = load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise ValueError("the bundle signing key is not an unencrypted private key in PEM form") from None
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise ValueError("the bundle signing key is not an EC P-256 key, the only kind of ES256")  # noqa: TRY004  # one type for any unfit key
    return SigningKey(id=key_id, key=key)


def public_pem(signer: SigningKey) -> str:
    """Return the public half of `signer` in PEM."""
    public = signer.key.public_key()
    return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode("ascii")


def load_verification_keys(keys: VerificationKeys) -> dict[str, ec.EllipticCurvePublicKey]:
    """Return the EC P-256 public keys of `keys`. Raises ValueError for any other key."""
    loaded: dict[str, ec.EllipticCurvePublicKey] = {}
    for key_id, pem in keys.items():
        try:
            key = load_pem_public_key(pem)
        except (ValueError, UnsupportedAlgorithm):
            raise ValueError(f"the bundle key {key_id!r} is not a public key in PEM form") from None
        if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
            raise ValueError(f"the bundle key {key_id!r} is not an EC P-256 key, the only kind of ES256")  # noqa: TRY004  # as above
        loaded[key_id] = key
    return loaded


def sign(payload: Mapping[str, JSON], signer: SigningKey) -> str:
    """Return the compact JWS of the canonical form of `payload`."""
    signed = f"{_encode(_header(signer.id))}.{_encode(canonical_bytes(payload))}"
    der = signer.key.sign(signed.encode(), ec.ECDSA(hashes.SHA256(), deterministic_signing=True))
    r, s = utils.decode_dss_signature(der)
    return f"{signed}.{_encode(r.to_bytes(_COORDINATE_BYTES, 'big') + s.to_bytes(_COORDINATE_BYTES, 'big'))}"


def open_signed(token: str, keys: VerificationKeys) -> Mapping[str, Any]:
    """Return the payload of `token`, once one of `keys` has made its signature. Raises BundleRejected."""
    parts = token.split(".")
    if len(parts) != 3:  # noqa: PLR2004  # header, payload, signature
        raise _invalid("it is not a compact JWS")
    header, payload, signature = map(_decode, parts)
    trusted = load_verification_keys(keys)
    key = next((trusted[key_id] for key_id in trusted if header == _header(key_id)), None)
    if key is None:
        raise _invalid("its key is not configured here, or its algorithm is not ES256")
    if len(signature) != 2 * _COORDINATE_BYTES:
        raise _invalid("it is not of the length of ES256")
    r, s = (int.from_bytes(half, "big") for half in (signature[:_COORDINATE_BYTES], signature[_COORDINATE_BYTES:]))
    try:
        key.verify(
            utils.encode_dss_signature(r, s),
            f"{parts[0]}.{parts[1]}".encode(),
            ec.ECDSA(hashes.SHA256()),
        )
    except InvalidSignature:
        raise _invalid("it was not made by the configured key, or what it signs was altered") from None
    try:
        opened = json.loads(payload)
    except (ValueError, RecursionError):
        raise _invalid("its payload is not JSON") from None
    if not isinstance(opened, dict):
        raise _invalid("its payload is not an object")
    return opened


def _header(key_id: str) -> bytes:
    return canonical_bytes({"alg": "ES256", "kid": key_id, "typ": "JWT"})


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    try:
        raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError:
        raise _invalid("it is not base64url") from None
    if _encode(raw) != text:  # bits that are not used, or characters that Python skips
        raise _invalid("it is not base64url in its shortest form")
    return raw


def _invalid(problem: str) -> BundleRejected:
    return BundleRejected("signature-invalid", f"the signature cannot be trusted: {problem}")
