# SPDX-License-Identifier: Apache-2.0
"""Two control planes on one PostgreSQL: one signs. Killed or put to sleep, another does, and neither contradicts."""

import os
import signal
import threading
import time
from base64 import b64decode
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Self

import httpx
import pytest

from controlplane.audit.checkpoints import SignedCheckpoint, open_checkpoint
from controlplane.audit.note_keys import VerifierKey
from controlplane.audit.verification import verify_consistency
from controlplane.services.log_key import LogKey, new_log_key
from controlplane.store.engine import open_database
from controlplane.store.leadership import TERM_S
from tests.databases import postgres_binaries, private_postgres
from tests.records import make_record
from tests.served_control_planes import Served, another_port, initialise, make_environment, served, until

pytestmark = [pytest.mark.postgres, pytest.mark.slow]

KEY_FILE = new_log_key()
KEY = LogKey.parse(KEY_FILE)
LOG = VerifierKey.parse(KEY.vkey("default"))


@pytest.fixture(scope="module")
def postgres_url() -> Iterator[str]:
    named = os.environ.get("GATEHOUSE_TEST_DATABASE_URL")
    binaries = postgres_binaries()
    if named:
        yield named
    elif binaries is None:
        pytest.skip("no PostgreSQL: install it, or set GATEHOUSE_TEST_DATABASE_URL")
    else:
        with private_postgres(binaries) as url:
            yield url


@pytest.fixture
def environment(postgres_url: str, tmp_path: Path) -> dict[str, str]:
    engine = open_database(postgres_url)
    with engine.begin() as connection:
        connection.exec_driver_sql("DROP SCHEMA public CASCADE")
        connection.exec_driver_sql("CREATE SCHEMA public")
    engine.dispose()
    prepared = make_environment(tmp_path) | {"GATEHOUSE_DATABASE_URL": postgres_url}
    assert initialise(prepared).returncode == 0
    (tmp_path / "log.key").write_text(KEY_FILE)
    return prepared | {"GATEHOUSE_LOG_KEY_FILE": str(tmp_path / "log.key")}


class Feeding:
    """Records that arrive all the while, by whoever answers."""

    def __init__(self, *replicas: Served) -> None:
        self._replicas = replicas
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._feed)
        self.stored = 0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _feed(self) -> None:
        at = 0
        while not self._stop.wait(0.05):
            batch = b"".join(make_record(seq=at + number).to_line() for number in range(1, 8))
            for replica in self._replicas:
                try:
                    answer = replica.call(
                        "POST",
                        "/v1/records",
                        "agent",
                        content=batch,
                        headers={"Content-Type": "application/x-ndjson"},
                        timeout=3,
                    )
                except httpx.TransportError:
                    continue
                if answer.status_code == 200:
                    at += 7
                    self.stored = at
                    break


class Observer:
    """Reads every checkpoint that anybody sees, from the database, and keeps all of them."""

    def __init__(self, url: str) -> None:
        self._engine = open_database(url)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self.seen: list[SignedCheckpoint] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self._engine.dispose()

    def _watch(self) -> None:
        while not self._stop.wait(0.02):
            with self._engine.connect() as connection:
                notes = connection.exec_driver_sql("SELECT note FROM checkpoints ORDER BY size DESC LIMIT 1").scalars()
                for note in notes:
                    if not self.seen or note.encode() != self.seen[-1].note.to_bytes():
                        self.seen.append(open_checkpoint(note.encode(), [LOG]))

    @property
    def newest_s(self) -> int:
        return (self.seen[-1].at_s or 0) if self.seen else 0

    def fence(self) -> int:
        with self._engine.connect() as connection:
            return connection.exec_driver_sql("SELECT fence FROM sequencer_terms").scalar_one()

    def leader(self) -> int:
        with self._engine.connect() as connection:
            holder = connection.exec_driver_sql("SELECT holder FROM sequencer_terms").scalar_one()
        return int(holder.split()[-1])


def consistent(seen: list[SignedCheckpoint], api: Served) -> None:
    """Every checkpoint that was ever seen is one of a single log that only grew."""
    assert len({(each.checkpoint.size, each.checkpoint.root) for each in seen}) == len(
        {each.checkpoint.size for each in seen}
    )
    for older, newer in pairwise(seen):
        assert older.checkpoint.size <= newer.checkpoint.size
        query = {"first": older.checkpoint.size, "second": newer.checkpoint.size}
        answer = api.call("GET", "/v1/audit/proofs/consistency", "auditor", params=query)
        assert answer.status_code == 200, answer.text
        verify_consistency(
            [b64decode(each) for each in answer.json()["hashes"]],
            first=older.checkpoint.size,
            second=newer.checkpoint.size,
            first_root=older.checkpoint.root,
            second_root=newer.checkpoint.root,
        )


def test_exactly_one_signs_and_a_killed_leader_is_followed(environment, postgres_url):
    with served(environment, another_port()) as first, served(environment, another_port()) as second:
        both = {api.process.pid: api for api in (first, second)}
        with Observer(postgres_url) as observer, Feeding(first, second) as feeding:
            until(lambda: len(observer.seen) >= 3, within_s=40)
            before = observer.fence()
            assert before == 1  # it never changed hands
            leader = observer.leader()
            both[leader].process.kill()
            until(lambda: observer.fence() > before and observer.leader() != leader, within_s=40)
            seen = len(observer.seen)
            until(lambda: len(observer.seen) >= seen + 2, within_s=40)
        alive = next(api for pid, api in both.items() if pid != leader)
        assert feeding.stored > 0
        consistent(observer.seen, alive)


def test_a_leader_that_sleeps_is_followed_and_says_nothing_when_it_wakes(environment, postgres_url):
    with served(environment, another_port()) as first, served(environment, another_port()) as second:
        both = {api.process.pid: api for api in (first, second)}
        with Observer(postgres_url) as observer:
            for _ in range(2):
                until(lambda: observer.seen and time.time() - observer.newest_s < 6, within_s=40)
                fence, leader = observer.fence(), observer.leader()
                awake = next(api for pid, api in both.items() if pid != leader)
                with Feeding(awake):
                    os.kill(leader, signal.SIGSTOP)
                    try:
                        until(lambda fence=fence: observer.fence() > fence, within_s=TERM_S + 30)
                        until(lambda: time.time() - observer.newest_s < 4, within_s=40)
                        seen, newer = len(observer.seen), observer.fence()
                    finally:
                        os.kill(leader, signal.SIGCONT)
                    until(lambda seen=seen: len(observer.seen) >= seen + 3, within_s=40)
                assert observer.leader() == awake.process.pid
                assert observer.fence() == newer  # who woke up took nothing back
        consistent(observer.seen, first)


def test_a_leader_that_ends_lets_another_lead_at_once(environment, postgres_url):
    with served(environment, another_port()) as first, served(environment, another_port()) as second:
        both = {api.process.pid: api for api in (first, second)}
        with Observer(postgres_url) as observer:
            until(lambda: len(observer.seen) >= 1, within_s=40)
            leader = observer.leader()
            both[leader].process.terminate()
            assert both[leader].process.wait(timeout=20) == 0
            until(lambda: observer.leader() != leader, within_s=TERM_S - 1)
