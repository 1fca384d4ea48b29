# SPDX-License-Identifier: Apache-2.0
"""Some kills of `python -m tests.soak.log`, which makes hundreds."""

import asyncio

import pytest

from tests.databases import postgres_binaries
from tests.soak.log import Plan, log_soak

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]


@pytest.mark.parametrize(
    ("database", "kills"),
    [pytest.param("sqlite", 6, id="sqlite"), pytest.param("postgres", 4, id="postgres", marks=pytest.mark.postgres)],
)
def test_kills_under_load_lose_and_double_nothing(tmp_path, database, kills):
    if database == "postgres" and postgres_binaries() is None:
        pytest.skip("no PostgreSQL: install initdb and pg_ctl")
    report = asyncio.run(log_soak(tmp_path / "home", Plan(kills=kills, database=database)))
    assert report.wrong == []
    assert report.killed.total() == kills
    assert report.answered > 0
    assert report.entries > report.answered
    assert report.checkpoints > 1
    assert (report.missing, report.lost, report.unrecorded) == (0, 0, 0)
    assert report.altered == 21
