# SPDX-License-Identifier: Apache-2.0
import socket

import pytest

from proxy_addons.opa_pool.pulse import Pulse


@pytest.fixture
def listener(tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listening:
        listening.bind(str(tmp_path / "s"))
        listening.listen(1)
        yield listening


@pytest.fixture
def pulse(tmp_path):
    asking = Pulse(tmp_path / "s")
    yield asking
    asking.close()


def test_a_server_that_answers_lives_and_is_asked_again(listener, pulse):
    for now in (0.0, 100.0, 200.0):
        assert not pulse.hangs(now)
        with listener.accept()[0] as client:
            assert client.recv(100).startswith(b"GET /health ")
            client.send(b"HTTP/1.0 200 OK\r\n\r\n")
            assert not pulse.hangs(now + 1)


def test_a_server_that_closes_the_connection_lives(listener, pulse):
    assert not pulse.hangs(0.0)
    listener.accept()[0].close()
    assert not pulse.hangs(50.0)


def test_a_server_that_accepts_nothing_hangs_after_five_seconds(listener, pulse):
    assert [pulse.hangs(now) for now in (0.0, 1.0, 4.9, 5.1)] == [False, False, False, True]


def test_a_server_whose_queue_is_full_hangs(tmp_path, listener, pulse):
    others = [socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) for _ in range(8)]
    for other in others:
        other.settimeout(0)
        try:
            other.connect(str(tmp_path / "s"))
        except BlockingIOError:
            break
    assert not pulse.hangs(0.0)
    # A socket that was never connected says that it is not, and would pass for an answer.
    assert [pulse.hangs(now) for now in (1.0, 5.1)] == [False, True]
    for other in others:
        other.close()


def test_a_server_that_does_not_listen_yet_is_not_judged(tmp_path):
    pulse = Pulse(tmp_path / "absent")
    assert [pulse.hangs(now) for now in (0.0, 60.0, 120.0)] == [False, False, False]
