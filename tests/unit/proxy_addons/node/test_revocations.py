# SPDX-License-Identifier: Apache-2.0
"""From the feed to the workers: what is put to work, what is refused, and what nobody is let in before."""

import asyncio

import pytest

from policies.bundle.revocations import verify_revocations
from policies.contracts.errors import BundleRejected
from proxy_addons.clients.control_plane import Fetched, NothingPublished
from proxy_addons.node import revocations as under_test
from proxy_addons.node.revocations import RevocationsActivation
from tests.signing import KEY_ID, Signer


class Fleet:
    def __init__(self):
        self.epochs = []

    def revoke(self, told):
        self.epochs.append(told.epoch)


class Rig:
    def __init__(self, folder):
        self.folder, self.fleet, self.signer = folder, Fleet(), Signer.make(folder)
        self.file = folder / "revocations.jws"
        self.start()

    def start(self):
        self.fleet.epochs.clear()
        self.activation = RevocationsActivation(
            self.file, self.fleet, credentials_path=self.folder / "credentials.jws", verify=self.verify
        )
        return self.activation

    def verify(self, content):
        keys = {KEY_ID: self.signer.public_file.read_bytes()}
        return verify_revocations(content, keys=keys, tenant="default", environment="production")

    async def accept(self, content, etag='"e"'):
        await self.activation.accept(Fetched(etag=etag, content=content))
        return self.fleet.epochs


@pytest.fixture
def rig(tmp_path):
    return Rig(tmp_path)


async def test_each_newer_document_is_kept_and_handed_over(rig):
    assert await rig.accept(rig.signer.revocations(1)) == [1]
    assert await rig.accept(second := rig.signer.revocations(4, keys=("01A",)), '"second"') == [1, 4]
    assert (rig.activation.etag, rig.activation.refused) == ('"second"', False)
    assert rig.file.read_bytes() == second


async def test_the_one_in_force_again_changes_nothing(rig):
    await rig.accept(rig.signer.revocations(3))
    assert await rig.accept(rig.signer.revocations(3)) == [3]
    assert not rig.activation.refused


@pytest.mark.parametrize("restarted", [False, True], ids=["while-it-runs", "after-a-restart"])
async def test_an_older_document_is_refused(rig, restarted):
    await rig.accept(newest := rig.signer.revocations(5, keys=("01A",)))
    if restarted:
        await rig.start().resume()
    assert await rig.accept(rig.signer.revocations(4), '"old"') == [5]
    assert (rig.activation.refused, rig.activation.etag) == (True, '"old"')
    assert rig.file.read_bytes() == newest


async def test_what_does_not_verify_is_refused_and_what_was_there_stays(rig):
    await rig.accept(rig.signer.revocations(5))
    other = Signer.make(rig.folder, "other.pem")
    assert await rig.accept(other.revocations(9)) == [5]
    assert rig.activation.refused
    with pytest.raises(BundleRejected):
        rig.verify(other.revocations(9))


@pytest.mark.parametrize(
    ("on_file", "credentials", "want"),
    [
        pytest.param("ours", True, True, id="a-document"),
        pytest.param(None, True, True, id="credentials-of-the-release-before"),
        pytest.param(None, False, False, id="a-new-node"),
        pytest.param("forged", True, False, id="a-document-that-does-not-verify"),
    ],
)
async def test_whether_anybody_may_be_known_before_the_feed_answered(rig, on_file, credentials, want):
    if credentials:
        (rig.folder / "credentials.jws").touch()
    if on_file:
        signer = rig.signer if on_file == "ours" else Signer.make(rig.folder, "other.pem")
        rig.file.write_bytes(signer.revocations(2))
    await rig.activation.resume()
    assert rig.activation.known.is_set() is want
    assert rig.fleet.epochs == ([2] if on_file == "ours" else [])


@pytest.mark.parametrize("on_file", [False, True], ids=["none-on-file", "one-that-does-not-verify"])
async def test_a_feed_without_a_document_says_that_nothing_was_ever_revoked(rig, monkeypatch, on_file):
    monkeypatch.setattr(under_test, "_NOTHING_YET_S", 0)
    if on_file:
        rig.file.write_bytes(b"x")

    async def fetch(_etag):
        raise NothingPublished("nothing")

    assert await rig.activation.following(fetch)(None) is None
    assert rig.activation.known.is_set() is not on_file


async def test_the_first_document_says_who_is_known(rig):
    waiting = asyncio.create_task(rig.activation.known.wait())
    await rig.accept(rig.signer.revocations(1))
    await asyncio.wait_for(waiting, 5)
