# SPDX-License-Identifier: Apache-2.0
"""Tokens and certificates against a whole node: an OpenID provider that rotates its keys, goes away and comes back."""

import asyncio
import ssl
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import aiohttp
import pytest
from joserfc.jwk import RSAKey

from policies.bundle.credentials import CredentialsDocument, sign_credentials
from policies.bundle.pack import pack
from policies.contracts.identity import (
    CertificateField,
    CertificateRule,
    IdentityPolicy,
    SubjectType,
    TokenAlgorithm,
)
from tests.authority import Authority
from tests.node_processes import CHAT, NodeProcesses, until
from tests.oidc import OpenIdProvider
from tests.signing import ALICE_KEY, SNAPSHOT, Signer
from tests.tokens import issuer

# Nothing listens where the upstream should be: so this says that identity and policy let the request through.
LET_THROUGH = (502, "upstream-unavailable")
INVALID = (401, "credentials-invalid")
RULE = CertificateRule(id="people", field=CertificateField.CN, prefix="", type=SubjectType.USER)


@pytest.fixture
async def provider() -> AsyncIterator[OpenIdProvider]:
    async with OpenIdProvider() as started:
        yield started


def bundle(signer: Signer, serial: int, provider: OpenIdProvider | None, *rules: CertificateRule) -> bytes:
    issuers = () if provider is None else (issuer(issuer=provider.url, algorithms=(TokenAlgorithm.RS256,)),)
    identity = IdentityPolicy(id="login", version="1", issuers=issuers, certificates=rules)
    snapshot = replace(SNAPSHOT, identity=(identity,) if issuers or rules else ())
    return pack(snapshot, serial=serial, signer=signer.key).content


def blocking(signer: Signer, epoch: int, *subjects: str) -> bytes:
    document = CredentialsDocument(
        tenant="default",
        environment="production",
        epoch=epoch,
        issued_at=datetime(2026, 11, 20, tzinfo=UTC),
        keys=(),
        blocked=subjects,
    )
    return sign_credentials(document, signer.key)


async def told(node: NodeProcesses, token: str, want: tuple[int, str], *, within_s: float) -> None:
    deadline = time.monotonic() + within_s
    while (got := await node.chat(key=token)) != want:
        assert time.monotonic() < deadline, got
        await asyncio.sleep(0.05)


async def test_keys_are_rotated_kept_and_left_with_their_issuer(node, signer, control_plane, provider):
    await control_plane.publish(bundle=bundle(signer, 5, provider), credentials=signer.credentials(1))
    node.start()
    await until(lambda: node.enforces(5))
    old = provider.token("rsa-1", at=time.time())
    await told(node, old, LET_THROUGH, within_s=10)
    _, ready = await node.health("/readyz")
    assert [(each["id"], each["keys"], each["usable"]) for each in ready["issuers"]] == [("corp", 1, True)]

    # Rotated: the new key is asked for because a token names it; what was signed with the old one ends with it.
    provider.keys = {"rsa-2": RSAKey.generate_key(2048)}
    new = provider.token("rsa-2", at=time.time())
    assert await node.chat(key=new) == INVALID
    await told(node, new, LET_THROUGH, within_s=20)
    await told(node, old, INVALID, within_s=2)

    # Killed, and started again while the provider is away: the keys on disk serve.
    await node.stop(9)
    await provider.stop()
    control_plane.statuses.clear()
    node.start()
    await until(lambda: node.enforces(5))
    await told(node, new, LET_THROUGH, within_s=5)

    # The issuer leaves the policy: its tokens are refused by the next request that the new bundle decides.
    await control_plane.publish(bundle=bundle(signer, 6, None))
    await until(lambda: node.enforces(6))
    assert await node.chat(key=new) == INVALID
    assert await node.chat(key=ALICE_KEY) == LET_THROUGH


async def test_a_subject_is_blocked_within_a_second(node, signer, control_plane, provider):
    await control_plane.publish(bundle=bundle(signer, 5, provider), credentials=signer.credentials(1))
    node.start()
    await until(lambda: node.enforces(5))
    token = provider.token("rsa-1", at=time.time())
    await told(node, token, LET_THROUGH, within_s=10)
    await control_plane.publish(credentials=blocking(signer, 2, "user:alice"))
    await told(node, token, (401, "credentials-revoked"), within_s=1)


async def test_without_keys_the_issuer_is_unavailable_and_keys_are_taken_as_before(
    node, signer, control_plane, provider
):
    provider.answers["/keys"] = 503
    await control_plane.publish(bundle=bundle(signer, 5, provider), credentials=signer.credentials(1))
    node.start()
    await until(lambda: node.enforces(5))
    assert await node.chat(key=provider.token("rsa-1", at=time.time())) == (503, "issuer-unavailable")
    assert await node.chat(key=ALICE_KEY) == LET_THROUGH
    status, ready = await node.health("/readyz")
    assert (status, ready["issuers"][0]["usable"], ready["issuers"][0]["problem"]) == (200, False, "status-503")


async def test_a_client_certificate_is_a_credential(node, signer, control_plane, tmp_path):
    authority = Authority(tmp_path, "authority")
    cert_file, key_file = authority.issue("server")
    node.environment |= {
        "GATEHOUSE_PROXY_CERT_FILE": str(cert_file),
        "GATEHOUSE_PROXY_KEY_FILE": str(key_file),
        "GATEHOUSE_PROXY_CLIENT_CA_FILE": str(authority.path),
    }
    await control_plane.publish(bundle=bundle(signer, 5, None, RULE), credentials=signer.credentials(1))
    node.start()
    await until(lambda: node.enforces(5))
    alice, eve = map(authority.issue, ("alice", "eve"))
    assert await over_tls(node, authority, alice) == LET_THROUGH
    assert await over_tls(node, authority, alice, key=ALICE_KEY) == LET_THROUGH
    assert await over_tls(node, authority, eve, key=ALICE_KEY) == (401, "credentials-ambiguous")
    assert await over_tls(node, authority, eve) == (403, "no-applicable-policy")
    assert await over_tls(node, authority, None) == (401, "credentials-missing")
    await control_plane.publish(credentials=blocking(signer, 2, "user:alice"))
    await until(lambda: node.enforces(5, epoch=2))
    assert await over_tls(node, authority, alice) == (401, "credentials-revoked")


async def over_tls(node: NodeProcesses, authority: Authority, client: Any, *, key: str = "") -> tuple[int, str]:
    context = ssl.create_default_context(cafile=authority.path)
    if client is not None:
        context.load_cert_chain(*client)
    async with (
        aiohttp.ClientSession() as session,
        session.post(
            f"https://127.0.0.1:{node.proxy_port}/v1/chat/completions",
            json=CHAT,
            ssl=context,
            headers={"Authorization": f"Bearer {key}"} if key else {},
        ) as answer,
    ):
        return answer.status, (await answer.json())["error"]["code"]
