# SPDX-License-Identifier: Apache-2.0
"""Kept databases: found again, and never trusted more than what could be compiled anew."""

import os

import hyperscan
import pytest

from policies.scanning import kept
from policies.scanning.kept import KeptDatabases, NotCompiled
from policies.scanning.source import Source


@pytest.fixture
def database():
    made = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
    made.compile(expressions=[b"abc"], ids=[0], elements=1, flags=0)
    return hyperscan.dumpb(made)


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "cache" / "patterns"


def test_what_was_kept_is_found_again(folder, database):
    assert KeptDatabases(folder).get("a") is None
    KeptDatabases(folder).put("a", database)
    assert KeptDatabases(folder).get("a") == database
    assert KeptDatabases(folder).get("b") is None
    assert folder.stat().st_mode & 0o777 == 0o700
    assert [(file.name, file.stat().st_mode & 0o777) for file in folder.iterdir()] == [("a", 0o600)]


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda content: b"", id="empty"),
        pytest.param(lambda content: content[: len(content) // 2], id="half-of-it"),
        pytest.param(lambda content: content[:-9] + bytes([content[-9] ^ 1]) + content[-8:], id="a-bit-of-it"),
        pytest.param(lambda content: b"x" * 200, id="something-else"),
    ],
)
def test_a_file_that_cannot_be_loaded_is_none(folder, database, spoil):
    KeptDatabases(folder).put("a", database)
    file = folder / "a"
    file.write_bytes(spoil(file.read_bytes()))
    assert KeptDatabases(folder).get("a") is None


def test_what_hyperscan_does_not_load_is_none(folder):
    KeptDatabases(folder).put("a", b"no database")
    assert KeptDatabases(folder).get("a") is None


@pytest.mark.parametrize("mode", [0o770, 0o707, 0o777])
def test_a_folder_that_others_may_write_to_is_not_used(folder, database, mode):
    KeptDatabases(folder).put("a", database)
    folder.chmod(mode)
    assert KeptDatabases(folder).get("a") is None
    KeptDatabases(folder).put("b", database)
    assert not (folder / "b").exists()


def test_a_link_to_a_folder_is_not_used(tmp_path, folder, database):
    KeptDatabases(folder).put("a", database)
    (tmp_path / "link").symlink_to(folder)
    assert KeptDatabases(tmp_path / "link").get("a") is None


def test_a_folder_of_somebody_else_is_not_used(folder, database, monkeypatch):
    KeptDatabases(folder).put("a", database)
    monkeypatch.setattr(os, "geteuid", lambda: 12_345)
    assert KeptDatabases(folder).get("a") is None


def test_a_folder_that_cannot_be_made_is_no_failure(tmp_path, database):
    (tmp_path / "file").write_text("")
    unusable = KeptDatabases(tmp_path / "file" / "patterns")
    unusable.put("a", database)
    assert unusable.get("a") is None


def test_those_not_used_for_longest_make_room(folder, database, monkeypatch):
    monkeypatch.setattr(kept, "_MOST_FILES", 3)
    for age, name in ((30, "a"), (20, "b"), (10, "c")):
        KeptDatabases(folder).put(name, database)
        os.utime(folder / name, (1e9 - age, 1e9 - age))
    monkeypatch.setattr(kept, "_MOST_FILES", 2)
    assert KeptDatabases(folder).get("b") == database
    KeptDatabases(folder).put("d", database)
    assert sorted(file.name for file in folder.iterdir()) == ["b", "d"]


def test_what_is_not_there_is_compiled_once(folder, monkeypatch):
    source = Source(expressions=(b"abc",), numbers=(0,), flags=(0,))
    database = KeptDatabases(folder).of(source)
    monkeypatch.setattr(Source, "compiled", lambda _self: pytest.fail("compiled again"))
    assert KeptDatabases(folder).of(source) == database


def test_whoever_must_not_compile_misses_what_is_not_there(folder):
    source = Source(expressions=(b"abc",), numbers=(0,), flags=(0,))
    with pytest.raises(NotCompiled, match="patterns has no patterns compiled for this: restart the node"):
        KeptDatabases(folder, compiles=False).of(source)
    assert not folder.exists()
    database = KeptDatabases(folder).of(source)
    assert KeptDatabases(folder, compiles=False).of(source) == database


def test_of_nothing_nothing_is_kept(folder):
    assert KeptDatabases(folder, compiles=False).of(Source(expressions=(), numbers=(), flags=())) == b""


def test_a_folder_to_read_only_is_read(folder, database, monkeypatch):
    KeptDatabases(folder).put("a", database)

    def refuse(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "utime", refuse)
    assert KeptDatabases(folder).get("a") == database
