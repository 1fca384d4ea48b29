# SPDX-License-Identifier: Apache-2.0
import grp
import os
import socket
import stat

import pytest

from inference.settings import SettingsWrong
from inference.sockets import bind_tcp, bind_unix, remove_unix


@pytest.fixture
def path(tmp_path):
    return tmp_path / "s"


def mode(path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_socket_is_its_owners_only(path):
    before = os.umask(0)
    try:
        with bind_unix(path):
            assert mode(path) == 0o600
    finally:
        assert os.umask(before) == 0  # the process's own mask is as it was


def test_a_socket_may_be_a_groups_too(path):
    own = grp.getgrgid(os.getegid()).gr_name
    with bind_unix(path, group=own):
        assert (mode(path), path.stat().st_gid) == (0o660, os.getegid())
    with pytest.raises(SettingsWrong, match="no such group"):
        bind_unix(path.with_name("other"), group="no-such-group")


def test_a_socket_that_nobody_listens_on_is_replaced(path):
    bind_unix(path).close()
    with bind_unix(path) as listener:
        listener.listen()
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))


def test_a_socket_in_use_is_left_alone(path):
    with bind_unix(path) as listener:
        listener.listen()
        with pytest.raises(SettingsWrong, match="in use"):
            bind_unix(path)
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))


@pytest.mark.parametrize("kind", ["file", "folder", "link"])
def test_what_is_not_a_socket_is_left_alone(path, kind):
    if kind == "file":
        path.write_text("precious")
    elif kind == "folder":
        path.mkdir()
    else:
        (path.parent / "target").write_text("precious")
        path.symlink_to(path.parent / "target")
    with pytest.raises(SettingsWrong, match="is not a socket"):
        bind_unix(path)
    assert path.lstat()
    assert kind == "folder" or path.read_text() == "precious"


def test_a_path_that_cannot_be_is_refused(tmp_path):
    for path in (tmp_path / "none" / "s", tmp_path / ("s" * 120)):
        with pytest.raises(SettingsWrong, match="--socket"):
            bind_unix(path)


def test_a_socket_is_removed_once(path):
    bind_unix(path).close()
    remove_unix(path)
    remove_unix(path)
    assert not path.exists()


def test_a_taken_port_is_refused_by_its_options():
    with bind_tcp("127.0.0.1", 0, options="--port") as listener:
        listener.listen()
        with pytest.raises(SettingsWrong, match=r"--port: 127\.0\.0\.1:\d+ cannot be bound"):
            bind_tcp("127.0.0.1", listener.getsockname()[1], options="--port")
