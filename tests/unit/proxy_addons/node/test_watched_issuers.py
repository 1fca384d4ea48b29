# SPDX-License-Identifier: Apache-2.0
from dataclasses import replace

from policies.contracts.identity import IdentityPolicy
from proxy_addons.node.watched_issuers import WatchedIssuers
from tests.signing import SNAPSHOT
from tests.tokens import issuer


def of(*issuers):
    identity = IdentityPolicy(id="login", version="1", issuers=issuers, certificates=())
    return replace(SNAPSHOT, identity=(identity,))


def test_the_issuers_of_a_candidate_are_watched_beside_those_in_force_until_it_ends():
    watched = []
    keys = WatchedIssuers(lambda issuers: watched.append([(each.issuer, each.jwks) for each in issuers]))
    here = issuer()
    moved, other = replace(here, jwks="https://moved.example"), replace(here, issuer="https://other.example")
    keys.in_force(of(here))
    keys.tried(of(moved, other))
    keys.tried(None)
    mine = (here.issuer, here.jwks)
    assert watched == [[mine], [mine, (other.issuer, other.jwks)], [mine]]
