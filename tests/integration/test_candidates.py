# SPDX-License-Identifier: Apache-2.0
"""Candidates beside the bundle in force, at a node of two worker processes: who decides whom, and that nothing mixes."""

import asyncio
import itertools
import json
from dataclasses import dataclass, replace

import aiohttp
import pytest
from aiohttp import web

from policies.bundle.environment import Candidate, CandidateMode
from policies.contracts.decision import Effect
from policies.contracts.request import Subject
from policies.contracts.snapshot import RedactionAction
from proxy_addons.node.bundle_store import etag_of
from tests.node_processes import CHAT, until
from tests.signing import ALICE_KEY, SNAPSHOT
from tests.unit.policies.evaluation.test_canaries import ALICE
from tests.unit.proxy_addons.harness import CARD, plain_answer, snapshot

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


async def test_the_lives_of_candidates_one_withdrawn_one_that_fails_its_canaries_and_one_promoted(
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
    await until(lambda: len(control_plane.records) == 3)
    # Two workers ship on their own, in any order.
    assert sorted(serials(control_plane)) == [(5, "error_deny"), (5, "error_deny"), (9, "deny")]

    wrong = signer.bundle(10, canaries=(replace(ALICE, name="alice may not", effect=Effect.DENY),))
    await control_plane.publish(candidate=wrong, environment=signer.environment(5, candidate_of(wrong, 10)))
    worker = await until(lambda: next((w for w in enforcing.status["workers"] if w.get("candidate_error")), None))
    assert worker["candidate_error"] == "canary-failed: chat-access/alice may not"
    await control_plane.publish(bundle=wrong)
    rejected = await until(lambda: enforcing.status["rejected_bundle"])
    assert rejected["code"] == "canary-failed"
    assert await enforcing.chat() == ALLOWED
    assert all(worker["serial"] == 5 for worker in enforcing.status["workers"])

    strict = signer.bundle(11, access=NOBODY)
    some = candidate_of(strict, 11, subjects_percent=0)
    await control_plane.publish(candidate=strict, environment=signer.environment(6, some))
    await until(lambda: tried(enforcing, 11))
    await control_plane.publish(bundle=strict, environment=signer.environment(7))
    await until(lambda: enforcing.enforces(11) and tried(enforcing, None))
    assert await enforcing.chat() == DENIED
    await until(lambda: not (enforcing.node_dir / "bundles" / f"{9:020d}.tar.gz").exists())
    await enforcing.stop()
    released = [line for line in enforcing.log().splitlines() if "policy_released" in line and "serial=11" in line]
    assert not released  # what was promoted was not loaded a second time


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


@pytest.fixture
async def upstream():
    """One that answers every chat with the number of a card."""
    body = json.loads(plain_answer(f"card {CARD}.").pieces[0])

    async def answer(_request):
        return web.json_response(body)

    application = web.Application()
    application.router.add_post("/v1/chat/completions", answer)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


# Two policies of which no request can be decided by a mixture without telling: they differ in who may use what, and in
# what they do to an answer.
REPLACING = snapshot().redactions
REMOVING = tuple(
    replace(policy, rules=tuple(replace(rule, action=RedactionAction.REMOVE) for rule in policy.rules))
    for policy in REPLACING
)


def policy_of(serial):
    """Return what differs by serial: the odd replace and grant `parrot-2`, the even remove and grant `parrot-4`."""
    access = SNAPSHOT.access[0]
    grants = tuple(
        replace(grant, models=("parrot", "parrot-2") if serial % 2 else ("parrot", "parrot-4"))
        for grant in access.grants
    )
    return {
        "access": (replace(access, version=str(serial), grants=grants),),
        "redactions": REPLACING if serial % 2 else REMOVING,
    }


@dataclass
class Asked:
    """What a client was told: the id of its request, the model it asked for, the status and the text."""

    request_id: str
    model: str
    status: int
    text: str

    def fits(self, serial: int) -> bool:
        allowed = self.model in ({"parrot", "parrot-2"} if serial % 2 else {"parrot", "parrot-4"})
        if not allowed:
            return self.status == 403
        said = "card [redacted:payment-card]." if serial % 2 else "card ."
        return (self.status, self.text) == (200, said)


async def asking(node, stopped, told):
    async with aiohttp.ClientSession() as session:
        for model in itertools.cycle(("parrot", "parrot-2", "parrot-4")):
            if stopped.is_set():
                return
            async with session.post(
                f"http://127.0.0.1:{node.proxy_port}/v1/chat/completions",
                json=CHAT | {"model": model},
                headers={"Authorization": f"Bearer {ALICE_KEY}"},
            ) as answer:
                body = await answer.json()
                text = body["choices"][0]["message"]["content"] if answer.status == 200 else body["error"]["code"]
                told.append(Asked(answer.headers["x-request-id"], model, answer.status, text))


@pytest.mark.parametrize("subjects_percent", [100, None], ids=["enforced-for-all", "judging-beside"])
async def test_no_request_fails_or_is_decided_by_two_policies_while_policies_come_and_go(
    node, signer, control_plane, upstream, subjects_percent
):
    mode = CandidateMode.OBSERVE if subjects_percent is None else CandidateMode.ENFORCE
    node.environment["GATEHOUSE_UPSTREAM_URL"] = upstream
    await control_plane.publish(
        bundle=signer.bundle(5, **policy_of(5)),
        credentials=signer.credentials(1),
        environment=signer.environment(1),
    )
    node.start()
    await until(lambda: node.enforces(5) and node.status.get("environment_number") == 1)
    stopped, told = asyncio.Event(), []
    async with asyncio.TaskGroup() as group:
        for _ in range(8):
            group.create_task(asking(node, stopped, told))
        number = 1
        for serial in range(6, 12):
            number += 1
            bundle = signer.bundle(serial, **policy_of(serial))
            trial = candidate_of(bundle, serial, mode, subjects_percent=subjects_percent)
            await control_plane.publish(candidate=bundle, environment=signer.environment(number, trial))
            await until(lambda serial=serial: tried(node, serial))
            await asyncio.sleep(0.05)
            number += 1
            if serial % 3:  # promoted, by both feeds at once; else withdrawn
                await control_plane.publish(bundle=bundle, environment=signer.environment(number))
                await until(lambda serial=serial: node.enforces(serial))
            else:
                await control_plane.publish(environment=signer.environment(number))
            await until(lambda: tried(node, None))
        stopped.set()
    envelopes = await until(lambda: len(control_plane.records) == len(told) and recorded(control_plane))
    decided = {envelope["request_id"]: envelope["serial"] for envelope in envelopes}
    assert not [asked for asked in told if not asked.fits(decided[asked.request_id])]
    assert len({(envelope["serial"], envelope["revision"]) for envelope in envelopes}) == len(set(decided.values()))
    assert {5, 7, 8, 10, 11} <= set(decided.values())
    withdrawn = set(decided.values()) - {5, 7, 8, 10, 11}
    assert withdrawn == (set() if mode is CandidateMode.OBSERVE else {6, 9})
    judged = [(envelope["serial"], envelope["candidate"]) for envelope in envelopes if "candidate" in envelope]
    assert bool(judged) is (mode is CandidateMode.OBSERVE)
    assert all(serial < said["serial"] and said["effect"] != "error" for serial, said in judged)


def recorded(control_plane):
    return [json.loads(record["envelope"]) for record in control_plane.records]


def test_who_is_chosen_stays_chosen_with_a_larger_share():
    small, large = (candidate_of(b"", 9, subjects_percent=percent) for percent in (10, 40))
    people = [Subject(type="user", id=f"u{number}") for number in range(1000)]
    few = {person.id for person in people if small.chooses_subject("t", person)}
    many = {person.id for person in people if large.chooses_subject("t", person)}
    assert few < many
    assert 50 < len(few) < 150
    assert 330 < len(many) < 470
