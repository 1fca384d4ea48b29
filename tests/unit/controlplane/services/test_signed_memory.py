# SPDX-License-Identifier: Apache-2.0
"""The last checkpoint beside the key: kept as a whole, believed where the key signed it."""

import os

import pytest

from controlplane.audit.checkpoints import Checkpoint, sign_checkpoint
from controlplane.audit.note_keys import VerifierKey
from controlplane.services.log_key import LogKey, new_log_key
from controlplane.services.log_state import LogAltered
from controlplane.services.signed_memory import SignedFolder

KEY = LogKey.parse(new_log_key())
VERIFIER = VerifierKey.parse(KEY.vkey("acme"))


def note(size: int = 3, *, at_s: int = 1, key: LogKey = KEY) -> str:
    signer = key.signer("acme")
    return sign_checkpoint(Checkpoint(signer.name, size, b"r" * 32), signer, at_s=at_s).to_bytes().decode()


@pytest.fixture
def memory(tmp_path):
    return SignedFolder(tmp_path / "signed")


def test_nothing_is_remembered_before_the_first_signature(memory):
    assert memory.recall("acme", VERIFIER) is None


def test_the_last_one_is_remembered_over_a_restart(memory, tmp_path):
    memory.keep("acme", note(3))
    memory.keep("acme", note(4, at_s=9))
    kept = SignedFolder(tmp_path / "signed").recall("acme", VERIFIER)
    assert (kept.checkpoint.size, kept.at_s) == (4, 9)
    assert [path.name for path in (tmp_path / "signed").iterdir()] == ["acme.checkpoint"]


def test_a_renewal_of_the_same_tree_is_not_written(memory, tmp_path):
    memory.keep("acme", note(3))
    before = (tmp_path / "signed" / "acme.checkpoint").stat().st_ino
    memory.keep("acme", note(3, at_s=2))
    assert (tmp_path / "signed" / "acme.checkpoint").stat().st_ino == before


def test_a_tenants_name_is_no_path(memory, tmp_path):
    memory.keep("../../x", note())
    assert [path.name for path in (tmp_path / "signed").iterdir()] == ["..%2F..%2Fx.checkpoint"]


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"\xff" * 200_000, id="anything"),
        pytest.param(note(key=LogKey.parse(new_log_key(), name=KEY.name)).encode(), id="of-another-key"),
        pytest.param(note().replace("\n3\n", "\n2\n").encode(), id="another-size"),
    ],
)
def test_what_the_key_did_not_sign_is_no_memory(memory, tmp_path, content):
    memory.keep("acme", note())
    (tmp_path / "signed" / "acme.checkpoint").write_bytes(content)
    with pytest.raises(LogAltered, match=r"acme\.checkpoint"):
        memory.recall("acme", VERIFIER)


def test_a_folder_that_cannot_be_written_stops_nothing(tmp_path):
    (tmp_path / "file").touch()
    memory = SignedFolder(tmp_path / "file" / "signed")
    memory.keep("acme", note())
    with pytest.raises(LogAltered):
        memory.recall("acme", VERIFIER)


def test_a_write_that_fails_leaves_the_one_before(memory, tmp_path, monkeypatch):
    memory.keep("acme", note(3))
    monkeypatch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    memory.keep("acme", note(4))
    assert memory.recall("acme", VERIFIER).checkpoint.size == 3
    assert [path.name for path in (tmp_path / "signed").iterdir()] == ["acme.checkpoint"]
