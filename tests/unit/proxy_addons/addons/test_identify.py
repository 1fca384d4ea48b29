# SPDX-License-Identifier: Apache-2.0
"""One credential a request: attacks 22 and 23 with tokens and certificates among them, and what ends one."""

import hashlib
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from policies.contracts.decision import Effect, Mode
from policies.contracts.identity import IdentityPolicy
from policies.contracts.snapshot import AccessPolicy, Grant
from proxy_addons.core.exchange import EXCHANGE
from proxy_addons.core.identity_certificates import CertificateReader
from proxy_addons.core.revocations import Revocations
from tests.tokens import issuer, key_set, token
from tests.unit.proxy_addons.core.test_identity_certificates import CN, certificate
from tests.unit.proxy_addons.harness import NOW, ActivePolicy, Harness, active_policy, chat, key_of, key_ring

ALICE, BOB = certificate(cn=("alice",)), certificate(cn=("bob",))
NOBODY = certificate("https://nobody.example")
KEY = (b"Authorization", b"Bearer " + key_of("alice").encode())
TOKEN = (b"Authorization", b"Bearer " + token().encode())
DIGEST = hashlib.sha256(TOKEN[1].split()[1].rpartition(b".")[0]).hexdigest()
OF_CAROL = (b"Authorization", b"Bearer " + token(sub="carol", groups=["/ml/staff"]).encode())


def policy(*, rules: Any = (CN,), serial: int = 7, **changes: Any) -> ActivePolicy:
    grants = (
        Grant(
            id="staff",
            effect=Effect.ALLOW,
            subjects=("user:alice", "group:corp-staff"),
            models=("parrot",),
            operations=("chat.completions",),
        ),
    )
    identity = (IdentityPolicy(id="login", version="1", issuers=(issuer(**changes),), certificates=tuple(rules)),)
    access = (AccessPolicy(id="chat-access", version="1", mode=Mode.ENFORCE, grants=grants),)
    made = active_policy(identity=identity, access_policies=access, serial=serial)
    return replace(made, certificates=CertificateReader(rules))


def harness(**changes: Any) -> Harness:
    made = Harness(policy=policy(**changes), keys=key_ring())
    made.feed.use_issuer_keys((key_set(),))
    return made


async def send(under_test: Harness, *fields: tuple[bytes, bytes], peer: bytes | None = None, target: str = "") -> Any:
    body = chat()
    content_length = (b"Content-Type", b"application/json")
    path = b"/v1/chat/completions" + target.encode()
    return await under_test.send(body, headers=[(b"Host", b"a"), *fields, content_length], target=path, peer=peer)


@pytest.mark.parametrize(
    ("fields", "peer", "want"),
    [
        pytest.param([KEY], None, None, id="a-key"),
        pytest.param([TOKEN], None, None, id="a-token"),
        pytest.param([OF_CAROL], None, None, id="a-token-whose-group-is-granted"),
        pytest.param([], ALICE, None, id="a-certificate"),
        pytest.param([KEY], ALICE, None, id="a-key-and-a-certificate-of-one-subject"),
        pytest.param([TOKEN], ALICE, None, id="a-token-and-a-certificate-of-one-subject"),
        pytest.param([KEY], NOBODY, None, id="a-certificate-that-names-nobody-beside-a-key"),
        pytest.param([KEY], BOB, "credentials-ambiguous", id="a-key-and-a-certificate-of-two-subjects"),
        pytest.param([TOKEN], BOB, "credentials-ambiguous", id="a-token-and-a-certificate-of-two-subjects"),
        pytest.param([], NOBODY, "credentials-missing", id="a-certificate-that-names-nobody"),
        pytest.param([(b"x-api-key", token().encode())], None, "credentials-invalid", id="a-token-as-a-key"),
        pytest.param([KEY, TOKEN], None, "credentials-ambiguous", id="a-key-and-a-token"),
        pytest.param([TOKEN, TOKEN], None, "credentials-ambiguous", id="a-token-twice"),
        pytest.param([TOKEN, (b"x-api-key", key_of("alice").encode())], None, "credentials-ambiguous", id="both-forms"),
        pytest.param(
            [(b"Authorization", TOKEN[1] + b", " + KEY[1])], None, "credentials-invalid", id="two-in-one-field"
        ),
        pytest.param([(b"api-key", b"x")], ALICE, "credentials-ambiguous", id="another-form-and-a-certificate"),
        pytest.param([], None, "credentials-missing", id="nothing"),
        pytest.param(
            [(b"Authorization", b"Bearer " + token(sub="eve").encode())], None, "no-applicable-policy", id="eve"
        ),
    ],
)
async def test_exactly_one_subject_asks(fields, peer, want):
    told = await send(harness(), *fields, peer=peer)
    assert told.code == want
    assert bool(told.sent_upstream) is (want is None)


async def test_a_credential_in_the_query_beside_a_certificate_is_one_too_many():
    told = await send(harness(), peer=ALICE, target="?api_key=x")
    assert (told.status, told.code) == (401, "credentials-ambiguous")


async def test_certificates_and_tokens_are_off_unless_policy_says_it():
    plain = Harness(policy=active_policy(), keys=key_ring())
    plain.feed.use_issuer_keys((key_set(),))
    assert (await send(plain, TOKEN)).code == "credentials-invalid"
    assert (await send(plain, peer=ALICE)).code == "credentials-missing"


@pytest.mark.parametrize(
    ("fields", "peer"),
    [pytest.param([TOKEN], None, id="a-token"), pytest.param([], ALICE, id="a-certificate")],
)
async def test_without_a_policy_that_counts_nobody_can_say_who_it_is(fields, peer):
    for made in (Harness(keys=key_ring()), harness()):
        made.feed.trust_until(0)
        assert (await send(made, *fields, peer=peer)).code == "policy-unavailable"


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda made: made.feed.swap(active_policy(serial=8)), id="the-issuer-left-the-policy"),
        pytest.param(lambda made: made.feed.swap(policy(serial=8, audiences=("x",))), id="the-audience-changed"),
        pytest.param(
            lambda made: made.feed.use_issuer_keys((key_set({"rsa-1": key_set().keys[1].key}),)),
            id="the-key-was-rotated-out",
        ),
        pytest.param(lambda made: made.feed.use_issuer_keys(()), id="the-keys-are-gone"),
        pytest.param(
            lambda made: made.feed.use_credentials(key_ring(blocked=("user:alice",))), id="the-subject-is-blocked"
        ),
        pytest.param(
            lambda made: made.feed.use_revocations(Revocations(epoch=1, subjects=frozenset({"user:alice"}))),
            id="the-subject-is-revoked",
        ),
        pytest.param(
            lambda made: made.feed.use_revocations(Revocations(epoch=1, digests=frozenset({DIGEST}))),
            id="the-token-is-revoked",
        ),
    ],
)
async def test_what_ends_a_token_ends_a_remembered_one(change):
    made = harness()
    assert (await send(made, TOKEN)).code is None
    change(made)
    told = await send(made, TOKEN)
    assert told.code in {"credentials-invalid", "credentials-revoked", "issuer-unavailable"}
    assert told.sent_upstream == []


async def test_a_blocked_subject_is_refused_by_certificate_too():
    made = harness()
    made.feed.use_credentials(key_ring(blocked=("user:alice",)))
    assert (await send(made, peer=ALICE)).code == "credentials-revoked"


@pytest.mark.parametrize(
    "revoke",
    [
        pytest.param(
            lambda made: made.feed.use_revocations(Revocations(epoch=1, keys=frozenset({"01KEYALICE"}))),
            id="by-the-revocations",
        ),
        pytest.param(lambda made: made.feed.use_credentials(replace(key_ring(), keys={})), id="by-the-credentials"),
    ],
)
async def test_a_key_that_is_revoked_while_the_body_arrives_decides_nothing(revoke):
    made = harness()
    run_hook = made.hook

    async def hook(name: str, flow: Any) -> None:
        if name == "request":
            revoke(made)
        await run_hook(name, flow)

    made.hook = hook
    told = await send(made, KEY)
    assert (told.status, told.code) == (401, "credentials-revoked")
    assert told.sent_upstream == []
    [envelope] = made.sink.envelopes
    assert envelope["verdict"] == "blocked"


async def test_a_certificate_that_is_revoked_is_no_second_proof():
    made = harness()
    made.feed.use_revocations(Revocations(epoch=1, digests=frozenset({hashlib.sha256(ALICE).hexdigest()})))
    assert (await send(made, KEY, peer=ALICE)).code == "credentials-revoked"
    assert (await send(made, KEY)).code is None


@pytest.mark.parametrize(
    ("fields", "peer", "kind", "key_id"),
    [
        pytest.param([KEY], ALICE, "api-key", "01KEYALICE", id="the-header-is-the-credential"),
        pytest.param([OF_CAROL], None, "token", "corp:", id="a-token"),
        pytest.param([], ALICE, "certificate", "sha256:", id="a-certificate"),
    ],
)
async def test_the_record_says_what_identified_and_shows_it_not(fields, peer, kind, key_id):
    made = harness()
    await send(made, *fields, peer=peer)
    [envelope] = made.sink.envelopes
    assert envelope["subject"]["credential"] == kind
    assert envelope["subject"]["key_id"].startswith(key_id)
    whole = made.sink.records[0].envelope + made.sink.records[0].payload
    for _, value in fields:
        assert value.removeprefix(b"Bearer ") not in whole


async def test_the_payload_keeps_the_groups_for_a_replay():
    made = harness()
    await send(made, OF_CAROL)
    assert b'"subject":{"groups":["corp-staff"],"id":"carol","type":"user"}' in made.sink.records[0].payload


async def test_a_failing_issuer_is_a_failure_in_the_record():
    made = harness(max_key_age_s=600)
    made.feed.use_issuer_keys((key_set(fetched_at=NOW - timedelta(seconds=600)),))
    told = await send(made, TOKEN)
    assert (told.status, told.code) == (503, "issuer-unavailable")
    assert made.sink.envelopes[0]["outcome"] == "error_deny"
    assert told.flow.metadata[EXCHANGE].credential is None
