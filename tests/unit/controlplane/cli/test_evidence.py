# SPDX-License-Identifier: Apache-2.0
"""`gatehouse evidence` makes archives that `gatehouse audit verify` takes."""

import json
import re

import pytest

from controlplane.job_thread import job_thread
from tests.records import make_record
from tests.signed_planes import signed_plane

DONE, REFUSED = 0, 1


@pytest.fixture
def signed(tmp_path):
    return signed_plane(tmp_path)


@pytest.fixture
def under_test(signed):
    return signed.under_test


@pytest.fixture
def working(signed):
    signed.under_test.ingest(*(make_record(seq=number) for number in range(1, 6)))
    signed.sign()
    with job_thread(signed.under_test.plane):
        yield signed


def test_an_archive_is_made_and_verifies(gatehouse, working, tmp_path):
    file = tmp_path / "log.zip"
    made = gatehouse("evidence", "archive", "-o", file)
    assert made.exit_code == DONE, made.stderr
    assert re.match(r"\d+ entries, \d+ bytes, sha256:", made.stdout)
    judged = gatehouse("audit", "verify", file, "--key", working.key.vkey("default"))
    assert judged.exit_code == DONE, judged.stdout


def test_a_range_and_payloads_are_asked_for(gatehouse, working, tmp_path):
    asked = ("--first", "1", "--end", "3", "--payloads", "--json")
    made = gatehouse("evidence", "archive", "-o", tmp_path / "log.zip", *asked)
    assert made.exit_code == DONE, made.stderr
    request = json.loads(made.stdout)["request"]
    assert (request["first"], request["end"], request["payloads"]) == (1, 3, True)


@pytest.mark.parametrize(
    "asked",
    [
        pytest.param(("--first", "3", "--end", "1"), id="turned round"),
        pytest.param(("--end", "99"), id="beyond the log"),
        pytest.param(("--first", "1", "--from", "2026-11-20T00:00:00Z"), id="indexes and times"),
        pytest.param(("--from", "yesterday"), id="no time"),
    ],
)
def test_wrong_ranges(gatehouse, working, tmp_path, asked):
    made = gatehouse("evidence", "archive", "-o", tmp_path / "log.zip", *asked)
    assert (made.exit_code, (tmp_path / "log.zip").exists()) == (REFUSED, False)


def test_an_evidence_pack_is_made_and_verifies(gatehouse, working, tmp_path):
    file = tmp_path / "november.zip"
    asked = ("--from", "2026-11-01T00:00:00Z", "--to", "2026-12-01T00:00:00Z", "-o", file)
    made = gatehouse("evidence", "pack", *asked)
    assert made.exit_code == DONE, made.stderr
    judged = gatehouse("audit", "verify", file, "--key", working.key.vkey("default"))
    assert judged.exit_code == DONE, judged.stdout
    assert gatehouse("evidence", "pack", *asked[2:], "--from", "2027-01-01T00:00:00Z").exit_code == REFUSED
