# SPDX-License-Identifier: Apache-2.0
"""A conversation ends, whatever the other side does."""

import contextlib
import itertools
import socket
import threading
import time

import pytest

from conformance.wire import Line, Pause, converse, cut_at_head, cut_to_bytes, cut_whole

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@contextlib.contextmanager
def server(serve):
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def accept():
            with contextlib.suppress(OSError):
                connection, _ = listener.accept()
                with connection:
                    serve(connection)

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield Line(host="127.0.0.1", port=listener.getsockname()[1])
    thread.join(5)


def ask(line, pieces, **more):
    wanted = {"answers_due": 1, "awaits_close": lambda _: False, "within_s": 1.0} | more
    return converse(line, pieces, **wanted)


def answers_at_once(connection):
    connection.recv(1)
    connection.sendall(ANSWER)
    connection.recv(1_000_000)


def never_answers(connection):
    while connection.recv(1000):
        pass


def answers_without_end(connection):
    with contextlib.suppress(OSError):
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            connection.sendall(b"x" * 65536)


def never_reads(connection):
    time.sleep(2)


@pytest.mark.parametrize("serve", [never_answers, never_reads])
def test_it_gives_up_at_the_deadline(serve):
    began = time.monotonic()
    with server(serve) as line:
        heard = ask(line, itertools.repeat(b"x" * 100_000), within_s=0.5)
    assert heard.reader.answers == []
    assert time.monotonic() - began < 5


def test_it_does_not_read_without_end():
    with server(answers_without_end) as line:
        heard = ask(line, [b"x"], within_s=30)
    assert heard.reader.overlong


def test_an_early_answer_ends_the_sending():
    with server(answers_at_once) as line:
        heard = ask(line, itertools.repeat(b"x" * 1000))
    assert [answer.body for answer in heard.reader.answers] == [b"ok"]


def test_a_pause_ends_when_it_may_continue():
    def serve(connection):
        connection.recv(4)
        connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        assert connection.recv(4) == b"body"
        connection.sendall(ANSWER)

    with server(serve) as line:
        heard = ask(line, [b"head", Pause(30, until_continue=True), b"body"], within_s=5)
    assert (heard.reader.interim, heard.reader.complete) == ([100], 1)


def test_the_end_of_the_connection_is_waited_for_where_it_is_due():
    def serve(connection):
        connection.recv(1)
        connection.sendall(ANSWER)
        time.sleep(0.2)

    with server(serve) as line:
        assert ask(line, [b"x"], awaits_close=lambda reader: reader.complete == 1, within_s=5).closed


def test_a_line_that_takes_no_connection_is_an_error():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(OSError, match="refused"):
        ask(Line(host="127.0.0.1", port=port), [b"x"])


def test_cuts_lose_nothing():
    raw = b"POST / HTTP/1.1\r\nA: b\r\n\r\nbody"
    assert [b"".join(cut(raw)) for cut in (cut_whole, cut_at_head, cut_to_bytes)] == [raw] * 3
    assert [len(cut(raw)) for cut in (cut_whole, cut_at_head, cut_to_bytes)] == [1, 3, len(raw)]
