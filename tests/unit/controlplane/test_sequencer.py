# SPDX-License-Identifier: Apache-2.0
"""The sequencer's thread: it signs while the context is open, and another may sign once it is closed."""

import time

from controlplane.identifiers import new_ulid, utc_now
from controlplane.sequencer import sequencing
from controlplane.services.log_key import LogKey, new_log_key
from controlplane.services.sequencing import Sequencer
from controlplane.store.leadership import leadership
from tests.control_planes import make_plane, sqlite_url
from tests.records import make_record

KEY = LogKey.parse(new_log_key())


def sequencer(store) -> Sequencer:
    leads = leadership(store._engine, utc_now)
    return Sequencer(store=store, leadership=leads, key=KEY, clock=utc_now, new_id=new_ulid, pseudonym_key=b"p" * 32)


def until(condition) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.02)


def test_what_fails_unforeseen_is_tried_again(tmp_path, monkeypatch):
    monkeypatch.setattr("controlplane.sequencer._AGAIN_AFTER_S", 0.01)
    plane = make_plane(sqlite_url(tmp_path))
    one, step, failed = sequencer(plane.store), Sequencer.step, []

    def fail_twice(self, *, sign: bool = True) -> None:
        if len(failed) < 2:
            failed.append(1)
            raise ZeroDivisionError
        step(self, sign=sign)

    monkeypatch.setattr(Sequencer, "step", fail_twice)
    with sequencing(one, ()):
        until(one.status)
    assert len(failed) == 2


def test_it_signs_while_open_and_lets_go_at_the_end(tmp_path):
    plane = make_plane(sqlite_url(tmp_path))
    plane.ingest(make_record())
    first, second = sequencer(plane.store), sequencer(plane.store)
    with sequencing(first, ()):
        until(lambda: first.status() and first.status()[0].signed_at is not None)
        second.step()
        assert not second.leads
    second.step()  # at once, not after the first one's term
    assert second.leads
    assert second.status()[0].altered is None
