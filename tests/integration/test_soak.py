# SPDX-License-Identifier: Apache-2.0
"""Some seconds of `python -m tests.soak`, which runs for half an hour."""

import asyncio

import pytest

from tests.soak.kinds import KINDS
from tests.soak.run import Plan, soak

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def test_kills_and_policy_changes_under_load_make_no_verdict_wrong(tmp_path):
    plan = Plan(seconds=24, kill_every_s=3, change_every_s=3)
    report = asyncio.run(soak(tmp_path / "home", plan))
    assert report.wrong == []
    assert report.sent.keys() == {kind.name for kind in KINDS}
    assert report.killed.total() >= 3
    assert report.changes >= 2
    assert report.lives != []
    assert report.records > report.sent.total() / 2
