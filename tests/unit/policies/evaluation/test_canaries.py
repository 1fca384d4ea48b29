# SPDX-License-Identifier: Apache-2.0
"""Canaries of a snapshot, tried on its engines; what tests of documents say of differences: `test_policy_tests.py`."""

import asyncio
from dataclasses import replace

import pytest

from policies.contracts.decision import Effect, EngineAnswer
from policies.contracts.request import Subject
from policies.engines.casbin import CasbinAccess
from policies.evaluation.canaries import CanaryFailed, run_canaries
from policies.redaction.engine import Redaction
from tests.signing import SNAPSHOT
from tests.unit.policies.contracts.test_canaries import PLAIN

ALICE = replace(PLAIN, name="alice may", subject=Subject(type="user", id="alice"), effect=Effect.ALLOW, reasons=None)


class NoGuards:
    async def evaluate(self, _request, _access):
        return EngineAnswer(engine="opa", answers=())


def tried(*canaries, guards=()):
    snapshot = replace(SNAPSHOT, guards=guards, canaries=canaries)
    asyncio.run(
        run_canaries(
            snapshot, access=CasbinAccess(snapshot), guard=NoGuards(), redaction=Redaction.of(snapshot.redactions)
        )
    )


def test_passes_where_every_canary_is_answered_as_it_expects():
    tried(PLAIN, ALICE)


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param(replace(ALICE, name="x", effect=Effect.DENY), id="the-effect"),
        pytest.param(replace(PLAIN, name="x", reasons=("access-denied",)), id="the-reasons"),
        pytest.param(replace(ALICE, name="x", operation="embeddings"), id="no-such-route"),
    ],
)
def test_names_the_first_that_is_answered_otherwise(wrong):
    with pytest.raises(CanaryFailed, match=r"^chat-access/x$"):
        tried(PLAIN, wrong, replace(wrong, name="y"))


def test_fails_where_an_engine_fails():
    with pytest.raises(CanaryFailed):
        tried(ALICE, guards=SNAPSHOT.guards)  # whose guard nobody answers for
