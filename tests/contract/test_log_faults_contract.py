# SPDX-License-Identifier: Apache-2.0
"""An append that fails anywhere, or is killed, leaves nothing half-done; appends of two processes are each there once."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

from sqlalchemy import Engine, event
from sqlalchemy.exc import OperationalError

from controlplane.services.errors import StoreUnavailable
from controlplane.services.record_lines import put_aside
from controlplane.store import log_writer
from controlplane.store.store import SqlStore
from tests.control_planes import PAYLOAD_KEYS
from tests.log_entries import T, check_log, envelopes, of_source, received, told
from tests.records import NOON

ROOT = Path(__file__).parents[2]
_DEADLINE_S = 60


class FailsOnce:
    """Makes the n-th thing that is asked of the database fail. `has_failed` says whether there was one."""

    def __init__(self, number: int) -> None:
        self._left = number
        self.has_failed = False

    def __call__(self, *_arguments) -> None:
        self._left -= 1
        if self._left == -1:
            self.has_failed = True
            raise OperationalError("a statement", None, Exception("on purpose"))


@contextmanager
def failing(engine: Engine, fails: FailsOnce) -> Iterator[None]:
    put = log_writer._put

    def failing_put(*arguments) -> None:
        put(*arguments)  # COPY goes past the listener: it fails after its rows
        fails()

    event.listen(engine, "before_cursor_execute", fails)
    event.listen(engine, "commit", fails)
    try:
        with mock.patch.object(log_writer, "_put", failing_put):
            yield
    finally:
        event.remove(engine, "before_cursor_execute", fails)
        event.remove(engine, "commit", fails)


def test_whatever_statement_of_an_append_fails_nothing_is_left_and_the_next_one_is_right(engine):
    store = SqlStore(engine, PAYLOAD_KEYS)
    with store.write() as session:
        session.decisions.append(T, [received(seq=seq) for seq in (1, 2, 6)], [], at=NOON)
    # New ones, a repetition, a late one, a gap, a conflict, a second terminal record, a start that names a gap, a bad line.
    batch = [
        *(received(seq=seq) for seq in (2, 4, 7, 9)),
        received(seq=1, outcome="deny"),
        received(seq=10, request_id="req_b0_1"),
        of_source("start", 1, boot_id="b1", previous={"boot_id": "b0", "seq": 12}),
    ]
    lines = [put_aside(b"{", tenant=T, reason="line-not-json")]
    before = told(store)
    for number in range(200):
        fails = FailsOnce(number)
        with failing(engine, fails):
            try:
                with store.write() as session:
                    session.decisions.append(T, batch, lines, at=NOON)
            except StoreUnavailable:
                assert fails.has_failed
        if not fails.has_failed:
            break
        assert told(store) == before
        check_log(store, engine)
    assert number > 15
    check_log(store, engine)
    after = ["b0:4", "b0:7", "gap b0:8-8", "b0:9", "closed b0:4-4", "b1:1", "gap b0:10-12"]
    assert told(store) == [*before, *after]


def test_a_process_that_is_killed_while_it_appends_loses_nothing_it_acknowledged(engine):
    store = SqlStore(engine, PAYLOAD_KEYS)
    acknowledged = 0
    for lines in (1, 3, 2, 5):
        with appending(engine, "b0", 1, 10_000, 7) as process:
            acknowledged = max(acknowledged, [int(process.stdout.readline().split()[1]) for _ in range(lines)][-1])
            process.kill()
            process.wait(_DEADLINE_S)
        check_log(store, engine)
        stored = [envelope["source"]["seq"] for envelope in envelopes(store)]
        assert stored == list(range(1, len(stored) + 1))
        assert len(stored) >= acknowledged
    assert len(stored) % 7 == 0


def test_two_processes_that_send_the_same_and_their_own_store_each_once(engine):
    store = SqlStore(engine, PAYLOAD_KEYS)
    with appending(engine, "b0,shared", 1, 120, 5) as first, appending(engine, "b1,shared", 1, 120, 4) as second:
        for process in (first, second):
            process.communicate(timeout=_DEADLINE_S)
            assert process.returncode == 0
    check_log(store, engine)
    words = told(store)
    for boot in ("b0", "b1"):
        assert [word for word in words if word.startswith(f"{boot}:")] == [f"{boot}:{seq}" for seq in range(1, 121)]
    assert sorted(int(word.split(":")[1]) for word in words if word.startswith("shared:")) == list(range(1, 121))
    assert not [word for word in words if "gap" in word]


@contextmanager
def appending(engine: Engine, *arguments: object) -> Iterator[subprocess.Popen[str]]:
    url = engine.url.render_as_string(hide_password=False)
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.appending", url, *map(str, arguments)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait(_DEADLINE_S)
        process.stdout.close()
