# SPDX-License-Identifier: Apache-2.0
"""How a candidate gets to the workers, and what keeps it from them; what they do with it: `test_candidates.py`."""

import asyncio
from types import SimpleNamespace

import pytest

from policies.bundle.environment import Candidate, CandidateMode
from proxy_addons.clients.control_plane import ControlPlaneUnavailable, Fetched
from proxy_addons.node.bundle_store import BundleStore, etag_of
from proxy_addons.node.candidate_keeping import CandidateKeeper
from proxy_addons.node.guard_socket import GuardUnavailable
from proxy_addons.node.verifier import Verifier
from tests.signing import KEY_ID, Signer


class FakeFleet:
    def __init__(self):
        self.candidate, self.told = None, []
        self.changed = SimpleNamespace(notify=lambda: None)

    def try_candidate(self, order):
        self.candidate = order
        self.told.append((order.serial, order.mode))

    def end_candidate(self):
        if self.candidate is not None:
            self.told.append(None)
        self.candidate = None


class Rig:
    def __init__(self, folder):
        self.signer, self.fleet, self.in_force, self.fetched = Signer.make(folder), FakeFleet(), 5, []
        self.bundle = self.signer.bundle(9)
        self.guard_problem: Exception | None = None
        self.store = BundleStore(folder / "node")
        verifier = Verifier(
            SimpleNamespace(
                bundle_key_file=self.signer.public_file,
                bundle_key_id=KEY_ID,
                bundle_keys_dir=None,
                tenant="default",
                environment="production",
            )
        )
        self.keeper = CandidateKeeper(
            self.store,
            self.fleet,
            fetch=self.fetch,
            verify=verifier.bundle,
            guard=self.guard,
            patterns=self.patterns,
            in_force=lambda: self.in_force,
        )

    async def fetch(self, serial):
        self.fetched.append(serial)
        if self.bundle is None:
            raise ControlPlaneUnavailable("away")
        return Fetched(etag='"any"', content=self.bundle)

    async def guard(self, _serial, _revision):
        if self.guard_problem is not None:
            raise self.guard_problem
        return ""

    async def patterns(self, _snapshot):
        return "patterns"

    def candidate(self, serial=9, mode=CandidateMode.ENFORCE, bundle=None):
        return Candidate(serial=serial, etag=etag_of(bundle or self.signer.bundle(serial)), mode=mode, salt="act_1")

    async def until(self, holds):
        async with asyncio.timeout(20):
            while not holds():
                await asyncio.sleep(0.005)


@pytest.fixture
async def rig(tmp_path):
    (tmp_path / "node").mkdir()
    made = Rig(tmp_path)
    running = asyncio.create_task(made.keeper.run())
    yield made
    assert not running.done()
    running.cancel()


async def test_a_candidate_is_fetched_once_and_its_terms_change_without_loading_it(rig):
    rig.keeper.follow(rig.candidate())
    await rig.until(lambda: rig.fleet.told)
    rig.keeper.follow(rig.candidate(mode=CandidateMode.OBSERVE))
    rig.keeper.follow(None)
    assert rig.fleet.told == [(9, "enforce"), (9, "observe"), None]
    assert rig.fetched == [9]
    assert (rig.store.serials(), rig.keeper.serials) == ({9}, set())


async def test_what_is_on_disk_already_is_not_fetched(rig):
    rig.store.keep(9, rig.bundle)
    rig.bundle = None
    rig.keeper.follow(rig.candidate())
    await rig.until(lambda: rig.fleet.told)
    assert rig.fetched == []


@pytest.mark.parametrize(
    ("break_it", "mend_it", "code"),
    [
        pytest.param(
            lambda rig: setattr(rig, "bundle", rig.signer.bundle(9, version="2")),
            lambda rig: setattr(rig, "bundle", rig.signer.bundle(9)),
            "content-altered",
            id="of-other-bytes",
        ),
        pytest.param(
            lambda rig: setattr(rig, "guard_problem", GuardUnavailable("none")),
            lambda rig: setattr(rig, "guard_problem", None),
            "guard-unavailable",
            id="no-guard",
        ),
    ],
)
async def test_what_keeps_it_from_the_workers_is_said_and_tried_again(rig, break_it, mend_it, code):
    break_it(rig)
    rig.keeper.follow(rig.candidate())
    await rig.until(lambda: rig.keeper.problem)
    assert (rig.keeper.problem, rig.fleet.told) == (code, [])
    mend_it(rig)
    await rig.until(lambda: rig.fleet.told)
    assert rig.keeper.problem == ""


async def test_that_it_cannot_be_had_for_a_moment_is_no_problem_of_the_candidate(rig):
    rig.bundle = None
    rig.keeper.follow(rig.candidate())
    await rig.until(lambda: len(rig.fetched) > 1)
    assert (rig.keeper.problem, rig.fleet.told) == ("", [])
    rig.bundle = rig.signer.bundle(9)
    await rig.until(lambda: rig.fleet.told)


@pytest.mark.parametrize(
    ("bundle", "code"),
    [
        pytest.param(lambda signer, _: signer.bundle(10), "serial-differs", id="of-another-serial"),
        pytest.param(
            lambda _, folder: Signer.make(folder, "other.pem").bundle(9), "signature-invalid", id="of-another-key"
        ),
    ],
)
async def test_a_bundle_that_the_document_names_must_be_one_for_this_node_at_that_serial(rig, tmp_path, bundle, code):
    rig.bundle = bundle(rig.signer, tmp_path)
    rig.keeper.follow(rig.candidate(bundle=rig.bundle))
    await rig.until(lambda: rig.keeper.problem)
    assert (rig.keeper.problem, rig.fleet.told) == (code, [])


async def test_a_candidate_that_is_in_force_or_older_is_none(rig):
    rig.in_force = 9
    rig.keeper.follow(rig.candidate())
    assert rig.keeper.wanted_serial is None
    rig.in_force = 8
    rig.keeper.follow(rig.candidate())
    await rig.until(lambda: rig.fleet.told)
    rig.in_force = 9
    rig.keeper.settle()
    assert (rig.keeper.wanted_serial, rig.fleet.told[-1]) == (None, None)
