# SPDX-License-Identifier: Apache-2.0
from datetime import UTC, datetime

import pytest

from proxy_addons.clients.lost_requests import Stamps
from proxy_addons.clients.open_requests import tables_left
from proxy_addons.node.lost_workers import LostWorkers
from tests.spools import of_the_source, open_spool
from tests.unit.proxy_addons.clients.test_lost_requests import leave_open, terminals
from tests.unit.proxy_addons.core.test_record_builder import SCOPE


@pytest.fixture
def lost_workers(tmp_path):
    stamps = Stamps(clock=lambda: datetime.now(UTC), new_id=lambda: "rec_1", new_salt=lambda: "5a" * 16)
    return LostWorkers(tmp_path, node_id="node-1", scope=SCOPE, stamps=stamps)


async def test_what_dead_workers_left_is_recorded_wherever_it_is(tmp_path, lost_workers):
    leave_open(tmp_path / "w0", "req_1")
    leave_open(tmp_path / "w7-2", "req_2", "req_3")
    assert await lost_workers.look()
    assert lost_workers.recorded == 3
    assert [len(terminals(tmp_path / name)) for name in ("w0", "w7-2")] == [1, 2]


async def test_a_worker_that_lives_keeps_what_is_its_own(tmp_path, lost_workers):
    with open_spool(tmp_path / "w0"):
        leave_open(tmp_path / "w0", "req_1")
        assert await lost_workers.look()
        assert (lost_workers.recorded, len(tables_left(tmp_path / "w0"))) == (0, 1)
    assert await lost_workers.look()
    assert lost_workers.recorded == 1


async def test_what_cannot_be_recorded_now_is_recorded_later(tmp_path, lost_workers, monkeypatch):
    leave_open(tmp_path / "w0", "req_1")

    def broken(*_):
        raise OSError(30, "Read-only file system")

    with monkeypatch.context() as patched:
        patched.setattr("proxy_addons.clients.open_segment.os.pwrite", broken)
        assert not await lost_workers.look()
    assert await lost_workers.look()
    assert (lost_workers.recorded, terminals(tmp_path / "w0")) == (1, [("req_1", ["worker-lost"])])
    assert "loss" not in {told["kind"] for told in of_the_source(tmp_path / "w0")}
