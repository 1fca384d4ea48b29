# SPDX-License-Identifier: Apache-2.0
import errno
import os
import signal
import subprocess
import sys

import pytest

from proxy_addons.clients.open_requests import CELL_BYTES, LeftOpen, OpenRequests, read_table, tables_left


@pytest.fixture
def table(tmp_path):
    made = OpenRequests.create(tmp_path, boot="b")
    yield made
    made.close()


def left(table: OpenRequests) -> list[LeftOpen]:
    return list(read_table(table.path))


def test_what_is_noted_is_found_part_by_part(table):
    table.begin("r1", b"begun")
    assert left(table) == [LeftOpen(begun=b"begun", asked=b"", decided=b"", admitted=False)]
    table.asked("r1", b"asked")
    table.decided("r1", b"decided")
    table.admitted("r1")
    assert left(table) == [LeftOpen(begun=b"begun", asked=b"asked", decided=b"decided", admitted=True)]


def test_a_request_that_ended_is_not_found_and_may_end_twice(table):
    table.begin("r1", b"1")
    table.end("r1")
    table.end("r1")
    table.asked("r1", b"late")
    assert (left(table), len(table)) == ([], 0)


def test_nothing_of_the_request_before_is_taken_for_the_next_one_of_a_cell(table):
    table.begin("r1", b"first")
    table.asked("r1", b"asked")
    table.end("r1")
    table.begin("r2", b"other")
    assert left(table) == [LeftOpen(begun=b"other", asked=b"", decided=b"", admitted=False)]


def test_what_is_too_long_for_its_part_is_left_out(table):
    table.begin("r1", b"1")
    table.asked("r1", b"x" * 427)
    table.decided("r1", b"x" * 426)
    assert [(cell.asked, len(cell.decided)) for cell in left(table)] == [(b"", 426)]


def test_it_grows_beyond_its_first_cells_and_keeps_what_it_has(table):
    for number in range(600):
        table.begin(f"r{number}", b"%d" % number)
    for number in range(300):
        table.end(f"r{number}")
    assert sorted(int(cell.begun) for cell in left(table)) == list(range(300, 600))
    assert table.path.stat().st_blocks * 512 >= 600 * CELL_BYTES


@pytest.mark.parametrize("where", [8, 14, 160, 166, 592])
def test_half_of_a_part_is_no_part(table, where):
    table.begin("r1", b"begun")
    table.asked("r1", b"asked")
    table.decided("r1", b"decided")
    content = bytearray(table.path.read_bytes())
    at = content.index(b"begun") - 14
    content[at + where] ^= 0xFF
    table.path.write_bytes(content)
    found = left(table)
    if where < 160:
        assert found == []
    else:
        assert [b"" in {cell.asked, cell.decided} for cell in found] == [True]


def test_without_room_a_request_cannot_begin_and_can_when_there_is_some(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "posix_fallocate", full)
        table = OpenRequests.create(tmp_path, boot="b")
        with pytest.raises(OSError, match="No space"):
            table.begin("r1", b"1")
    table.begin("r1", b"1")
    assert len(left(table)) == 1
    table.close()


def test_a_table_is_left_only_where_requests_are_open(tmp_path):
    one, other = OpenRequests.create(tmp_path, boot="one"), OpenRequests.create(tmp_path, boot="other")
    one.begin("r1", b"1")
    other.begin("r2", b"2")
    other.end("r2")
    one.sync()
    for table in (one, other):
        table.close()
        table.close()
    assert tables_left(tmp_path) == [one.path]


def test_it_outlives_a_process_that_is_killed(tmp_path):
    program = (
        "import os, sys; from pathlib import Path; from proxy_addons.clients.open_requests import OpenRequests\n"
        "table = OpenRequests.create(Path(sys.argv[1]), boot='b'); table.begin('r1', b'begun'); os.kill(os.getpid(), 9)"
    )
    ended = subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=False, timeout=60)
    assert ended.returncode == -signal.SIGKILL
    (path,) = tables_left(tmp_path)
    assert [cell.begun for cell in read_table(path)] == [b"begun"]
