# SPDX-License-Identifier: Apache-2.0
"""A zip or folder that a stranger sent is read, or refused; nothing else happens."""

import io
import os
import struct
import zipfile
from pathlib import Path

import pytest

from controlplane.audit.archive_files import MAX_DIRECTORY_BYTES, ArchiveUnreadable, open_archive, write_zip

FILES = {"manifest.json": b"{}\n", "earlier/00000.json": b"x" * 3_000_000, "empty": b""}


def as_zip(path, files=FILES):
    with path.open("wb") as file:
        write_zip(file, ((name, iter([content[:100], content[100:]])) for name, content in files.items()))
    return path


def as_folder(path, files=FILES):
    for name, content in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(content)
    return path


@pytest.mark.parametrize("make", [as_zip, as_folder])
def test_what_was_written_is_read(tmp_path, make):
    with open_archive(make(tmp_path / "archive")) as archive:
        assert {name: archive.read(name, 3_000_000) for name in archive.sizes} == FILES
        assert archive.sizes == {name: len(content) for name, content in FILES.items()}
        assert max(map(len, archive.pieces("earlier/00000.json"))) <= 1024 * 1024
        with pytest.raises(ArchiveUnreadable, match="more than 100 bytes"):
            archive.read("earlier/00000.json", 100)


def test_the_same_files_give_the_same_bytes(tmp_path):
    assert as_zip(tmp_path / "a").read_bytes() == as_zip(tmp_path / "b").read_bytes()


def test_a_zip_is_written_where_nothing_can_go_back(tmp_path):
    class Pipe(io.RawIOBase):
        written = b""

        def writable(self):
            return True

        def write(self, data):
            self.written += bytes(data)
            return len(data)

    pipe = Pipe()
    write_zip(pipe, [("a", iter([b"one", b"two"]))])
    (tmp_path / "zip").write_bytes(pipe.written)
    with open_archive(tmp_path / "zip") as archive:
        assert archive.read("a", 10) == b"onetwo"


@pytest.mark.parametrize("content", [b"", b"PK", b"no zip at all", b"PK\x05\x06" + b"\xff" * 18, b"\0" * 100_000])
def test_what_is_no_archive_is_refused(tmp_path, content):
    (tmp_path / "zip").write_bytes(content)
    with pytest.raises(ArchiveUnreadable), open_archive(tmp_path / "zip"):
        pass


def test_what_never_ends_is_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for endless in (tmp_path / "pipe", Path("/dev/zero")):
        with pytest.raises(ArchiveUnreadable, match="neither a file nor a folder"), open_archive(endless):
            pass


def test_what_is_not_there_is_refused(tmp_path):
    with pytest.raises(ArchiveUnreadable), open_archive(tmp_path / "nothing"):
        pass


@pytest.mark.parametrize(
    "name", ["/etc/passwd", "../up", "a/../b", "a//b", "./a", "a\\b", "a\nb", "a\x1b[2J", "a\u202eb", "n" * 300]
)
def test_a_name_that_leads_elsewhere_is_refused(tmp_path, name):
    with zipfile.ZipFile(tmp_path / "zip", "w") as written:
        written.writestr(zipfile.ZipInfo(name), b"")
    with pytest.raises(ArchiveUnreadable), open_archive(tmp_path / "zip"):
        pass


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_name_that_comes_twice_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "zip", "w") as written:
        written.writestr("a", b"1")
        written.writestr("a", b"2")
    with pytest.raises(ArchiveUnreadable, match="twice"), open_archive(tmp_path / "zip"):
        pass


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_another_compression_is_refused(tmp_path, method):
    with zipfile.ZipFile(tmp_path / "zip", "w", method) as written:
        written.writestr("a", b"1")
    with pytest.raises(ArchiveUnreadable, match="unusual"), open_archive(tmp_path / "zip"):
        pass


def test_a_member_whose_bytes_were_altered_is_unreadable(tmp_path):
    path = as_zip(tmp_path / "zip", {"a": os.urandom(5000)})
    content = path.read_bytes()
    path.write_bytes(content[:2500] + bytes([content[2500] ^ 1]) + content[2501:])
    with open_archive(path) as archive, pytest.raises(ArchiveUnreadable, match="a cannot be read"):
        archive.read("a", 5000)


def test_a_zip_bomb_is_read_no_further_than_allowed(tmp_path):
    path = as_zip(tmp_path / "zip", {"a": bytes(50_000_000)})
    assert path.stat().st_size < 100_000
    with open_archive(path) as archive, pytest.raises(ArchiveUnreadable, match="more than 1000"):
        archive.read("a", 1000)


def test_files_that_share_their_bytes_are_refused(tmp_path):
    """A directory that names one file many times unpacks to many times what a zip can hold."""
    path = as_zip(tmp_path / "zip", {f"{number:03}": bytes(1_000_000) for number in range(50)})
    with zipfile.ZipFile(path) as whole:
        first, *others = whole.infolist()
        end = others[0].header_offset
    content = path.read_bytes()
    with zipfile.ZipFile(tmp_path / "small", "w") as small:
        small.fp.write(content[:end])
        small.start_dir = end
        for member in (first, *others):
            member.header_offset = 0
            small.filelist.append(member)
        small._didModify = True
    with pytest.raises(ArchiveUnreadable, match="overlap"), open_archive(tmp_path / "small"):
        pass


def test_a_directory_larger_than_memory_is_not_read(tmp_path):
    path = as_zip(tmp_path / "zip")
    with path.open("r+b") as file:
        file.truncate(MAX_DIRECTORY_BYTES * 4)
        file.seek(0, os.SEEK_END)
        size = MAX_DIRECTORY_BYTES * 3
        file.write(struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 1, 1, size, MAX_DIRECTORY_BYTES, 0))
    with pytest.raises(ArchiveUnreadable, match="too large"), open_archive(path):
        pass


@pytest.mark.parametrize("make", [os.mkfifo, lambda path: path.symlink_to("/etc/passwd")])
def test_a_folder_with_what_is_no_plain_file_is_refused(tmp_path, make):
    folder = as_folder(tmp_path / "archive")
    make(folder / "odd")
    with pytest.raises(ArchiveUnreadable, match="plain file"), open_archive(folder):
        pass
