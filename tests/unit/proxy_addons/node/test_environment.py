# SPDX-License-Identifier: Apache-2.0
from types import SimpleNamespace

import pytest

from proxy_addons.clients.control_plane import Fetched
from proxy_addons.node.bundle_store import StateUnreadable
from proxy_addons.node.environment import EnvironmentFollower
from proxy_addons.node.verifier import Verifier
from tests.signing import KEY_ID, Signer


class Rig:
    def __init__(self, folder):
        self.folder, self.used = folder, []
        self.signer = Signer.make(folder)
        self.start()

    def start(self, signer=None):
        verifier = Verifier(
            SimpleNamespace(
                bundle_key_file=(signer or self.signer).public_file,
                bundle_key_id=KEY_ID,
                bundle_keys_dir=None,
                tenant="default",
                environment="production",
            )
        )
        self.follower = EnvironmentFollower(
            self.folder / "environment.jws",
            verify=verifier.environment_document,
            use=lambda document: self.used.append(document.number),
        )
        return self.follower

    async def give(self, content):
        await self.follower.accept(Fetched(etag='"one"', content=content))


@pytest.fixture
def rig(tmp_path):
    return Rig(tmp_path)


async def test_a_newer_document_is_put_in_force_and_kept(rig):
    await rig.give(rig.signer.environment(3))
    await rig.start().resume()
    assert (rig.used, rig.follower.number) == ([3, 3], 3)


async def test_the_same_document_again_changes_nothing(rig):
    await rig.give(rig.signer.environment(3))
    await rig.give(rig.signer.environment(3))
    assert (rig.used, rig.follower.refused) == ([3], False)


@pytest.mark.parametrize("restarted", [False, True], ids=["at-once", "after-a-restart"])
async def test_a_lower_number_is_refused(rig, restarted):
    await rig.give(rig.signer.environment(3))
    if restarted:
        await rig.start().resume()
    await rig.give(rig.signer.environment(2))
    assert (rig.follower.rejected, rig.follower.number) == ("number-not-newer", 3)
    await rig.give(rig.signer.environment(4))
    assert (rig.follower.rejected, rig.follower.number) == (None, 4)


async def test_a_number_counts_also_where_its_document_cannot_be_verified_any_more(rig, tmp_path):
    await rig.give(rig.signer.environment(3))
    rotated = Signer.make(tmp_path, "other.pem")
    await rig.start(rotated).resume()
    assert rig.follower.number is None
    await rig.give(rotated.environment(2))
    assert rig.follower.rejected == "number-not-newer"
    await rig.give(rotated.environment(3))
    assert rig.follower.number == 3


async def test_what_is_not_signed_by_the_key_is_refused(rig, tmp_path):
    await rig.give(Signer.make(tmp_path, "other.pem").environment(3))
    assert (rig.used, rig.follower.rejected, rig.follower.etag) == ([], "signature-invalid", '"one"')


async def test_a_kept_number_that_cannot_be_read_is_no_new_beginning(rig, tmp_path):
    (tmp_path / "environment.jws").write_bytes(b"three\n")
    with pytest.raises(StateUnreadable):
        rig.start()
