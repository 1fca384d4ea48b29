# SPDX-License-Identifier: Apache-2.0
"""A snapshot, a key and what a forger with the key could make of them."""

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from policies.bundle.jws import SigningKey, load_signing_key
from policies.contracts.decision import Effect, Mode
from policies.contracts.snapshot import AccessPolicy, Dialect, Grant, GuardPolicy, PolicySnapshot, Route

MODULE = """package gatehouse.guard.request_caps

deny contains "max-tokens-over-cap" if {
	input.request.max_tokens > data.gatehouse.guard_data.request_caps.max_tokens
}
"""


def new_signer(key_id: str = "gatehouse-1") -> SigningKey:
    pem = ec.generate_private_key(ec.SECP256R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return load_signing_key(pem, key_id=key_id)


def public_pem(signer: SigningKey) -> bytes:
    return signer.key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


SIGNER = new_signer()
KEYS = {SIGNER.id: public_pem(SIGNER)}


def make_snapshot(**changes: object) -> PolicySnapshot:
    members = {
        "tenant": "default",
        "environment": "production",
        "groups": {"staff": ("user:alice",)},
        "access": (
            AccessPolicy(
                id="chat-access",
                version="1",
                mode=Mode.ENFORCE,
                grants=(
                    Grant(
                        id="staff-chat",
                        effect=Effect.ALLOW,
                        subjects=("group:staff",),
                        models=("parrot",),
                        operations=("chat.completions",),
                    ),
                ),
            ),
        ),
        "guards": (
            GuardPolicy(
                id="request-caps",
                version="1",
                mode=Mode.ENFORCE,
                module=MODULE,
                data={"max_tokens": 512, "words": ["é", "<&>"]},
                reasons={"max-tokens-over-cap": "Too many."},
            ),
        ),
        "routes": (
            Route(
                id="chat",
                policy="openai-routes",
                method="POST",
                path="/v1/chat/completions",
                operation="chat.completions",
                dialect=Dialect.CHAT,
            ),
        ),
    }
    return PolicySnapshot(**{**members, **changes})
