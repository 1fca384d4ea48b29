# SPDX-License-Identifier: Apache-2.0
import json

import pytest


@pytest.fixture
def release(under_test):
    made = under_test.release()["id"]
    under_test.activate(made)
    return made


def activated(gatehouse, release, *options):
    done = gatehouse("activate", release, "--wait", "0", "--json", *options)
    return json.loads(done.stdout)


def test_a_candidate_is_tried_shown_and_promoted(gatehouse, release):
    tried = activated(gatehouse, release, "--canary-percent", "5", "--promote-after", "60")
    assert (tried["state"], tried["canary"]["subjects_percent"], tried["canary"]["promote_after_s"]) == (
        "candidate",
        5,
        60,
    )
    shown = gatehouse("activation", "show", tried["id"])
    assert f"{tried['id']} is candidate in production: serial 2, release {release}" in shown.stdout
    promoted = json.loads(gatehouse("activation", "promote", tried["id"], "--json").stdout)
    assert (promoted["state"], promoted["serial"]) == ("pending", 2)


def test_what_is_scheduled_is_listed_and_cancelled(gatehouse, release):
    done = gatehouse("activate", release, "--not-before", "2099-01-01T00:00:00Z", "--mode", "observe")
    assert done.exit_code == 0
    later = json.loads(gatehouse("activation", "list", "--json").stdout)["items"][-1]
    assert (later["state"], later["mode"], later["not_before"]) == ("scheduled", "observe", "2099-01-01T00:00:00Z")
    assert later["id"] in gatehouse("activation", "list").stdout
    assert "cancelled" in gatehouse("activation", "cancel", later["id"]).stdout


def test_one_command_goes_back(gatehouse, release, under_test):
    under_test.activate(release)
    for _ in range(2):
        back = json.loads(gatehouse("rollback", "--from-serial", "2", "--json").stdout)
        assert back["serial"] == 3
    refused = gatehouse("rollback")
    assert (refused.exit_code, "Nothing was in force there before" in refused.stderr) == (1, True)


def test_break_glass_takes_a_reason_and_minutes(gatehouse, release):
    broken = activated(gatehouse, release, "--break-glass", "logins fail", "--minutes", "15")
    assert broken["break_glass"] == {"reason": "logins fail", "minutes": 15}


def test_a_time_to_promote_needs_a_canary(gatehouse, release):
    refused = gatehouse("activate", release, "--promote-after", "60")
    assert (refused.exit_code, "--canary-percent" in refused.stderr) == (2, True)
