# SPDX-License-Identifier: Apache-2.0
"""Results are whole or not there, private, and never more than they may be."""

import hashlib
import os

import pytest

from controlplane.services.errors import Conflict
from controlplane.services.result_files import FolderFull, ResultFiles


@pytest.fixture
def files(tmp_path):
    return ResultFiles(folder=tmp_path / "exports", max_bytes=1000)


def write(files, name="op_1.csv", content=b"abc", fence=1):
    with files.begin(name, fence=fence, room=100) as file:
        file.write(content)
        return file.keep()


def test_a_kept_file_has_its_name_its_digest_and_its_owner_alone(files):
    assert write(files) == (3, "sha256:" + hashlib.sha256(b"abc").hexdigest())
    path = files.path("op_1.csv")
    assert path.read_bytes() == b"abc"
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert list(path.parent.iterdir()) == [path]


def test_what_was_not_kept_leaves_nothing(files):
    def fail() -> None:
        with files.begin("op_1.csv", fence=1, room=100) as file:
            file.write(b"abc")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert (files.path("op_1.csv"), list(files.folder.iterdir())) == (None, [])


def test_what_a_killed_process_began_is_removed_when_the_job_is_begun_again(files):
    files.require()
    (files.folder / "op_1.csv.1.part").write_bytes(b"half")
    (files.folder / "op_2.csv.1.part").write_bytes(b"of another")
    write(files, fence=2)
    assert {path.name for path in files.folder.iterdir()} == {"op_1.csv", "op_2.csv.1.part"}


def test_there_is_no_more_room_than_given(files):
    with files.begin("op_1.csv", fence=1, room=5) as file:
        file.write(b"abcde")
        with pytest.raises(FolderFull):
            file.write(b"f")


@pytest.mark.parametrize("name", ["../op_1.csv", "op_1", "/etc/passwd.txt", "op_1.csv\n", "", "a/b.csv", ".."])
def test_no_name_leads_elsewhere(files, name):
    with pytest.raises(ValueError, match="not the name"):
        files.path(name)


def test_without_a_folder_nothing_is_exported():
    without = ResultFiles(folder=None, max_bytes=1)
    with pytest.raises(Conflict, match="GATEHOUSE_EXPORT_DIR"):
        without.require()
    without.sweep(keep=(), before=0)
    without.remove(["op_1.csv"])


def test_old_files_that_are_no_results_are_swept(files):
    files.require()
    for name in ("op_1.csv", "op_2.csv", "op_3.csv.1.part", "op_4.csv.1.part", "notes.txt"):
        (files.folder / name).write_bytes(b"")
        os.utime(files.folder / name, (1, 5 if name.startswith("op_4") else 1))
    files.sweep(keep={"op_1.csv"}, before=3)
    assert {path.name for path in files.folder.iterdir()} == {"op_1.csv", "op_4.csv.1.part", "notes.txt"}
    files.remove(["op_1.csv", "op_9.csv"])
    assert files.path("op_1.csv") is None
