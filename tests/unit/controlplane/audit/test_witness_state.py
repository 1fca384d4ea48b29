# SPDX-License-Identifier: Apache-2.0
"""The folder: kept whole or not at all, held by one, never forgotten in silence."""

import hashlib
import os

import pytest

from controlplane.audit import witness_state
from controlplane.audit.checkpoints import SignedCheckpoint, cosign, open_checkpoint
from controlplane.audit.note_keys import SignerKey
from controlplane.audit.witness_state import StateFolder, StateUnusable
from tests.unit.controlplane.audit.archives import LOG_KEY, ORDERLY, Log

LOG = Log(ORDERLY)
NAME = hashlib.sha256(LOG_KEY.name.encode()).hexdigest() + ".checkpoint"


@pytest.fixture
def opened(tmp_path):
    folders = []

    def run(**given):
        folder = StateFolder.open(
            given.get("folder", tmp_path / "state"),
            key_file=given.get("key_file"),
            name=given.get("name", "witness/here"),
            logs=[LOG_KEY.verifier],
        )
        folders.append(folder)
        return folder

    yield run
    for folder in folders:
        folder.close()


def cosigned(key, size):
    note = LOG.note(size)
    note = note.with_signatures([cosign(note, key, at_s=1)])
    return note.to_bytes(), open_checkpoint(note.to_bytes(), [LOG_KEY.verifier], [key.verifier])


def test_what_was_kept_is_there_after_a_restart(opened):
    first = opened()
    assert first.last(LOG_KEY.name) is None
    for size in (3, 7):
        first.keep(*cosigned(first.key, size))
    first.close()
    again = opened()
    assert (again.key, again.last(LOG_KEY.name)) == (first.key, cosigned(first.key, 7)[1])
    opened_folder = {path.name for path in again._folder.iterdir()}
    assert opened_folder == {"lock", "witness.key", NAME}


def test_the_key_is_its_owner_s_alone(opened, tmp_path):
    key = opened(key_file=tmp_path / "elsewhere.key").key
    assert SignerKey.parse((tmp_path / "elsewhere.key").read_text()) == key
    assert (tmp_path / "elsewhere.key").stat().st_mode & 0o777 == 0o600
    assert not (tmp_path / "state" / "witness.key").exists()


def test_two_do_not_share_a_folder(opened):
    opened()
    with pytest.raises(StateUnusable, match="another witness works"):
        opened()


def test_a_note_is_durable_before_it_is_the_last(opened, monkeypatch):
    folder = opened()
    folder.keep(*cosigned(folder.key, 3))
    done = []
    synced, replaced = os.fsync, os.replace
    monkeypatch.setattr(witness_state.os, "fsync", lambda of: (done.append("sync"), synced(of)))
    monkeypatch.setattr(witness_state.Path, "replace", lambda path, to: (done.append("replace"), replaced(path, to)))
    folder.keep(*cosigned(folder.key, 7))
    assert done == ["sync", "replace", "sync"]


@pytest.mark.parametrize("failing", ["fsync", "open"])
def test_what_could_not_be_kept_is_not_the_last(opened, monkeypatch, failing):
    folder = opened()
    folder.keep(*cosigned(folder.key, 3))

    def fails(*_given, **_named):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(witness_state.os, failing, fails)
        with pytest.raises(OSError, match="No space"):
            folder.keep(*cosigned(folder.key, 7))
    assert folder.last(LOG_KEY.name).checkpoint.size == 3
    folder.close()
    assert opened().last(LOG_KEY.name).checkpoint.size == 3


def of_another_key(folder):
    return cosigned(SignerKey.generate("witness/here").cosigner(), 7)[0]


@pytest.mark.parametrize(
    "content",
    [
        lambda _: b"",
        lambda _: b"no note",
        lambda _: LOG.note(7).to_bytes(),
        of_another_key,
        lambda folder: cosigned(folder.key, 7)[0].replace(b"\n7\n", b"\n8\n"),
    ],
)
def test_a_memory_that_was_altered_ends_the_witness(opened, content):
    folder = opened()
    (folder._folder / NAME).write_bytes(content(folder))
    folder.close()
    with pytest.raises(StateUnusable, match="checkpoint of"):
        opened()


@pytest.mark.parametrize(
    ("content", "why"),
    [(b"", "is no key"), (LOG_KEY.to_text().encode(), "a log's key"), (b"\xff", "cannot be read")],
)
def test_a_file_that_is_no_witness_s_key_is_refused(opened, tmp_path, content, why):
    (tmp_path / "key").write_bytes(content)
    with pytest.raises(StateUnusable, match=why):
        opened(key_file=tmp_path / "key")


def test_a_name_that_no_key_can_have_is_refused(opened):
    with pytest.raises(StateUnusable, match="cannot be called"):
        opened(name="a b")


def test_contradictions_are_kept_and_do_not_fill_the_disk(opened, monkeypatch):
    monkeypatch.setattr(witness_state, "MAX_CONTRADICTIONS", 3)
    folder = opened()
    for number in (0, 1, 1, 2, 3, 4):
        folder.keep_contradiction(LOG_KEY.name, b"note %d" % number)
    kept = sorted(path.read_bytes() for path in (folder._folder / "contradictions").iterdir())
    assert kept == [b"note 0", b"note 1", b"note 2"]


def test_what_is_kept_is_a_signed_checkpoint(opened):
    folder = opened()
    folder.keep(*cosigned(folder.key, 3))
    assert isinstance(folder.last(LOG_KEY.name), SignedCheckpoint)
