# SPDX-License-Identifier: Apache-2.0
"""`gatehouse replay` waits for the report, shows it, and fails on what must not be."""

import json

import pytest

from controlplane.cli import replay
from controlplane.job_thread import job_thread
from controlplane.replays.comparison import Change
from tests.unit.controlplane.services.test_replays import CAPS, released, with_traffic

DONE, REFUSED, WRONG_USAGE = 0, 1, 2


@pytest.fixture
def release(under_test):
    with_traffic(under_test)
    made = released(under_test, CAPS)
    with job_thread(under_test.plane):
        yield made


def test_the_command_knows_every_change():
    assert tuple(change.value for change in Change) == replay.CHANGES


def test_a_report_is_shown_to_people(gatehouse, release):
    shown = gatehouse("replay", release)
    assert shown.exit_code == DONE, shown.stderr
    lines = [line.split() for line in shown.stdout.splitlines()]
    assert [release, "for", "production,", "against", "recorded:", "8", "decisions"] in lines
    assert ["newly-refused", "3", "37.5%"] in lines
    assert ["reason", "too-many", "2"] in lines
    assert any(line[:1] == ["req_b0_1"] and line[-1] == "(too-many)" for line in lines)
    assert any(line[:2] == ["rate-not-counted", "1"] for line in lines)
    assert "distinct questions were evaluated" in shown.stdout
    assert "alice" not in shown.stdout


def test_a_program_gets_the_report_itself(gatehouse, release):
    asked = ("--json", "--against", "in-force", "--as-of", "4", "--examples", "1", "--model", "parrot")
    shown = gatehouse("replay", release, *asked)
    report = json.loads(shown.stdout)
    assert (report["schema"], report["as_of"], report["against"]["kind"]) == ("gatehouse.replay/1", 4, "in-force")
    assert len(report["changes"]["newly-refused"]["examples"]) == 1


@pytest.mark.parametrize(
    ("asked", "want"),
    [
        pytest.param(("--fail-on", "newly-refused"), REFUSED, id="there are some"),
        pytest.param(("--fail-on", "no-longer-redacted", "--fail-on", "not-compared"), REFUSED, id="there are of one"),
        pytest.param(("--fail-on", "no-longer-redacted"), DONE, id="there are none"),
        pytest.param(("--fail-on", "newly-refused", "--no-wait"), WRONG_USAGE, id="nobody would know"),
    ],
)
def test_what_must_not_be_fails_the_command(gatehouse, release, asked, want):
    assert gatehouse("replay", release, *asked).exit_code == want


def test_it_may_only_be_begun(gatehouse, release):
    assert gatehouse("replay", release, "--no-wait").stdout.startswith("op_")
    assert json.loads(gatehouse("replay", release, "--no-wait", "--json").stdout)["kind"] == "replay"


def test_a_release_that_is_not_there_is_told(gatehouse, release):
    shown = gatehouse("replay", "rel_none")
    assert (shown.exit_code, "no such release" in shown.stderr) == (REFUSED, True)
