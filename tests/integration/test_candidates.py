# SPDX-License-Identifier: Apache-2.0
"""Candidates beside the bundle in force, at a node of two worker processes: who decides whom, and that nothing mixes."""

import asyncio
import json
from dataclasses import replace

import aiohttp
import pytest

from policies.bundle.environment import Candidate, CandidateMode
from policies.contracts.decision import Effect
from policies.contracts.request import Subject
from proxy_addons.node.bundle_store import etag_of
from tests.node_processes import until
from tests.signing import SNAPSHOT
from tests.unit.policies.evaluation.test_canaries import ALICE

# The upstream does not exist: a request that policy allows comes that far, and is recorded as `error_deny`.
ALLOWED = (502, "upstream-unavailable")
NOBODY = (replace(SNAPSHOT.access[0], version="2", grants=()),)
DENIED = (403, "no-applicable-policy")


def candidate_of(bundle, serial, mode=CandidateMode.ENFORCE, **share):
    return Candidate(serial=serial, etag=etag_of(bundle), mode=mode, salt="act_1", **share)


def serials(control_plane):
    envelopes = [json.loads(record["envelope"]) for record in control_plane.records]
    return [(envelope["serial"], envelope["outcome"]) for envelope in envelopes]


def tried(node, serial):
    return all(worker.get("candidate_serial") == serial for worker in node.status["workers"])


@pytest.fixture
async def enforcing(node, signer, control_plane):
    """A node that enforces serial 5, by which alice may chat."""
    await control_plane.publish(
        bundle=signer.bundle(5), credentials=signer.credentials(1), environment=signer.environment(1)
    )
    node.start()
    await until(lambda: node.enforces(5) and node.status.get("environment_number") == 1)
    return node


async def test_an_enforcing_candidate_decides_for_whom_it_chooses_and_leaves_when_it_is_ended(
    enforcing, signer, control_plane
):
    stricter = signer.bundle(9, access=NOBODY)
    all_of_them = candidate_of(stricter, 9, subjects_percent=100)
    await control_plane.publish(candidate=stricter, environment=signer.environment(2, all_of_them))
    await until(lambda: tried(enforcing, 9))
    assert await enforcing.chat() == DENIED
    none_of_them = replace(all_of_them, subjects_percent=0)
    await control_plane.publish(environment=signer.environment(3, none_of_them))
    await until(lambda: enforcing.status["environment_number"] == 3)
    assert await enforcing.chat() == ALLOWED
    await control_plane.publish(environment=signer.environment(4))
    await until(lambda: tried(enforcing, None))
    assert await enforcing.chat() == ALLOWED
    await until(lambda: not (enforcing.node_dir / "bundles" / f"{9:020d}.tar.gz").exists())
    await until(lambda: len(control_plane.records) == 3)
    assert serials(control_plane) == [(9, "deny"), (5, "error_deny"), (5, "error_deny")]


async def test_a_promoted_candidate_is_put_in_force_without_loading_it_again(enforcing, signer, control_plane):
    stricter = signer.bundle(9, access=NOBODY)
    some = candidate_of(stricter, 9, subjects_percent=0)
    await control_plane.publish(candidate=stricter, environment=signer.environment(2, some))
    await until(lambda: tried(enforcing, 9))
    await control_plane.publish(bundle=stricter, environment=signer.environment(3))
    await until(lambda: enforcing.enforces(9) and tried(enforcing, None))
    assert await enforcing.chat() == DENIED
    await enforcing.stop()
    assert enforcing.log().count("policy_released") == 2  # that of serial 5, by each worker


async def test_a_candidate_whose_canaries_fail_is_not_tried_and_says_so(enforcing, signer, control_plane):
    wrong = signer.bundle(9, canaries=(replace(ALICE, name="alice may not", effect=Effect.DENY),))
    await control_plane.publish(candidate=wrong, environment=signer.environment(2, candidate_of(wrong, 9)))
    worker = await until(lambda: next((w for w in enforcing.status["workers"] if w.get("candidate_error")), None))
    assert worker["candidate_error"] == "canary-failed: chat-access/alice may not"
    assert await enforcing.chat() == ALLOWED
    await control_plane.publish(bundle=wrong)
    rejected = await until(lambda: enforcing.status["rejected_bundle"])
    assert rejected["code"] == "canary-failed"
    assert await enforcing.chat() == ALLOWED
    assert all(worker["serial"] == 5 for worker in enforcing.status["workers"])


async def test_an_older_environment_document_is_a_replay_also_after_a_restart(enforcing, signer, control_plane):
    stricter = signer.bundle(9, access=NOBODY)
    await control_plane.publish(
        candidate=stricter, environment=signer.environment(7, candidate_of(stricter, 9, subjects_percent=100))
    )
    await until(lambda: tried(enforcing, 9))
    await control_plane.publish(environment=signer.environment(8))
    await until(lambda: tried(enforcing, None))
    await enforcing.stop()
    await control_plane.publish(environment=signer.environment(7, candidate_of(stricter, 9, subjects_percent=100)))
    enforcing.start()
    await until(lambda: "number-not-newer" in enforcing.log())
    assert await enforcing.chat() == ALLOWED


async def test_no_request_is_lost_or_decided_by_two_policies_while_candidates_come_and_go(
    enforcing, signer, control_plane
):
    """By odd serials alice may chat, by even ones nobody may: what the client is told names the serial that decided."""
    stopped, told = asyncio.Event(), []

    async def ask(session):
        while not stopped.is_set():
            told.append(await enforcing.chat(session=session))

    async with aiohttp.ClientSession() as session, asyncio.TaskGroup() as group:
        for _ in range(8):
            group.create_task(ask(session))
        serial, number = 5, 1
        for _ in range(4):
            serial, number = serial + 1, number + 1
            access = NOBODY if serial % 2 == 0 else SNAPSHOT.access
            bundle = signer.bundle(serial, access=access)
            trial = candidate_of(bundle, serial, subjects_percent=100, workers_percent=None)
            await control_plane.publish(candidate=bundle, environment=signer.environment(number, trial))
            await until(lambda serial=serial: tried(enforcing, serial))
            await asyncio.sleep(0.1)
            number += 1
            if serial % 4 < 2:  # promoted; else withdrawn
                await control_plane.publish(bundle=bundle)
                await until(lambda serial=serial: enforcing.enforces(serial))
            await control_plane.publish(environment=signer.environment(number))
            await until(lambda: tried(enforcing, None))
        stopped.set()
    await until(lambda: len(control_plane.records) == len(told))
    assert set(told) == {ALLOWED, DENIED}
    assert told.count(DENIED) == sum(outcome == "deny" for _, outcome in serials(control_plane))
    assert {outcome for serial, outcome in serials(control_plane) if serial % 2 == 0} == {"deny"}
    assert {outcome for serial, outcome in serials(control_plane) if serial % 2 == 1} == {"error_deny"}
    revisions = {(e["serial"], e["revision"]) for e in (json.loads(r["envelope"]) for r in control_plane.records)}
    assert len({serial for serial, _ in revisions}) == len(revisions)


def test_who_is_chosen_stays_chosen_with_a_larger_share():
    small, large = (candidate_of(b"", 9, subjects_percent=percent) for percent in (10, 40))
    people = [Subject(type="user", id=f"u{number}") for number in range(1000)]
    few = {person.id for person in people if small.chooses_subject("t", person)}
    many = {person.id for person in people if large.chooses_subject("t", person)}
    assert few < many
    assert 50 < len(few) < 150
    assert 330 < len(many) < 470
