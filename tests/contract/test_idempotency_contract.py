# SPDX-License-Identifier: Apache-2.0
"""What `controlplane.services.idempotency_ports` promises of a store, on every database."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

from sqlalchemy import select

from controlplane.sealing import KeyRing
from controlplane.services.idempotency_ports import Claim, Found, KeyName
from controlplane.store.idempotency_tables import idempotency_keys
from controlplane.store.store import SqlStore
from tests.records import NOON

CLAIM = Claim(
    name=KeyName(tenant="default", principal="admin", route="/v1/x", key="k"),
    fingerprint="f",
    attempt="try_0",
    leased_until=NOON + timedelta(minutes=2),
    expires_at=NOON + timedelta(days=1),
)


def claimed_at_once(store, claims, now):
    barrier = threading.Barrier(len(claims))

    def claim(one):
        barrier.wait()
        with store.write() as session:
            return session.idempotency_keys.claim(one, now=now)

    with ThreadPoolExecutor(len(claims)) as threads:
        return list(threads.map(claim, claims))


def test_of_many_that_claim_at_once_one_gets_the_key_also_after_a_lease(store):
    for turn, now in enumerate((NOON, NOON + timedelta(minutes=2))):
        claims = [replace(CLAIM, attempt=f"try_{turn}_{n}", leased_until=now + timedelta(minutes=2)) for n in range(8)]
        found = claimed_at_once(store, claims, now)
        assert found.count(None) == 1
        assert {(each.fingerprint, each.status) for each in found if each is not None} == {("f", None)}


def test_an_answer_is_kept_sealed_for_the_try_that_has_the_key(store, engine):
    with store.write() as session:
        assert session.idempotency_keys.claim(CLAIM, now=NOON) is None
        assert not session.idempotency_keys.keep(replace(CLAIM, attempt="try_other"), 201, b"no")
        session.idempotency_keys.let_go(replace(CLAIM, attempt="try_other"))
        assert session.idempotency_keys.keep(CLAIM, 201, b"a secret")
    found = Found(fingerprint="f", leased_until=CLAIM.leased_until, status=201, answer=b"a secret")
    late = CLAIM.leased_until + timedelta(hours=1)
    with store.write() as session:
        assert session.idempotency_keys.claim(replace(CLAIM, attempt="try_1"), now=late) == found
    with engine.connect() as connection:
        sealed = connection.execute(select(idempotency_keys.c.answer)).scalar_one()
    assert b"secret" not in bytes(sealed)
    with SqlStore(engine, KeyRing([b"o" * 32])).write() as session:
        assert session.idempotency_keys.claim(CLAIM, now=late) == replace(found, answer=None)


def test_a_sealed_answer_opens_at_its_own_place_alone(store, engine):
    other = replace(CLAIM, name=replace(CLAIM.name, principal="other"))
    with store.write() as session:
        for claim in (CLAIM, other):
            session.idempotency_keys.claim(claim, now=NOON)
            session.idempotency_keys.keep(claim, 201, claim.name.principal.encode())
    with engine.begin() as connection:
        sealed = select(idempotency_keys.c.answer).where(idempotency_keys.c.principal == "admin").scalar_subquery()
        connection.execute(idempotency_keys.update().values(answer=sealed))
    with store.write() as session:
        assert session.idempotency_keys.claim(other, now=NOON).answer is None
        assert session.idempotency_keys.claim(CLAIM, now=NOON).answer == b"admin"


def test_a_key_is_free_again_once_let_go_or_over(store):
    with store.write() as session:
        session.idempotency_keys.claim(CLAIM, now=NOON)
        session.idempotency_keys.let_go(CLAIM)
        assert session.idempotency_keys.claim(replace(CLAIM, fingerprint="g"), now=NOON) is None
        assert session.idempotency_keys.claim(CLAIM, now=NOON).fingerprint == "g"
        assert session.idempotency_keys.prune(now=NOON) == 0
        assert session.idempotency_keys.claim(CLAIM, now=CLAIM.expires_at) is None
        assert session.idempotency_keys.prune(now=CLAIM.expires_at) == 1
