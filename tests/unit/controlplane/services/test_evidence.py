# SPDX-License-Identifier: Apache-2.0
"""A pack has what happened, what governed it and who put it there; and it verifies."""

import hashlib
import json
import zipfile
from datetime import timedelta

import pytest
from click.testing import CliRunner

from controlplane.cli.main import main
from controlplane.services.times import format_time
from tests.control_planes import ACCESS, ROUTES
from tests.records import make_record
from tests.signed_planes import signed_plane


@pytest.fixture
def log(tmp_path):
    """A release in force, then three requests a minute apart, the last of another model with a hostile name."""
    signed = signed_plane(tmp_path)
    under_test = signed.under_test
    under_test.activate(under_test.release()["id"])
    for number, members in enumerate(
        (
            {},
            {"outcome": "deny", "reasons": (("access-denied", "chat-access"),)},
            {"model": "<script>alert(1)</script>", "verdict": "redacted"},
        ),
        start=1,
    ):
        under_test.clock.turn(60)
        under_test.ingest(make_record(seq=number, **members))
        signed.sign()
    under_test.clock.turn(60)
    return signed


def pack_of(log, begin_s=0, end_s=3600):
    noon = log.under_test.clock.now.replace(minute=0, second=0)
    body = {
        "from": format_time(noon + timedelta(seconds=begin_s)),
        "to": format_time(noon + timedelta(seconds=end_s)),
    }
    return log.fetched("/v1/evidence-packs", body)


def test_the_pack_verifies_and_has_its_parts(log):
    file = pack_of(log)
    judged = CliRunner().invoke(main, ["audit", "verify", str(file), "--key", log.key.vkey("default")])
    assert judged.exit_code == 0, judged.output
    with zipfile.ZipFile(file) as pack:
        names = set(pack.namelist())
        manifest = json.loads(pack.read("manifest.json"))
        assert set(manifest["files"]) == names - {"manifest.json"}
        digests = {name: "sha256:" + hashlib.sha256(pack.read(name)).hexdigest() for name in manifest["files"]}
    assert manifest["files"] == digests
    assert {"summary.md", "summary.html", "controls.md", "controls.csv", "activations.json", "checkpoint"} <= names


def test_it_says_what_governed_and_who_approved(log):
    with zipfile.ZipFile(pack_of(log)) as pack:
        [enforced] = json.loads(pack.read("activations.json"))
        sources = {pack.read(name) for name in pack.namelist() if name.startswith("policies/")}
        release = json.loads(pack.read(f"releases/{enforced['release']}.json"))
        snapshot = json.loads(pack.read(f"releases/{enforced['release']}.snapshot.json"))
        events = [json.loads(line) for line in pack.read("admin-events.ndjson").splitlines()]
    assert (enforced["author"], enforced["approver"], enforced["serial"]) == ("author", "approver", 1)
    assert sources == {ACCESS.encode(), ROUTES.encode()}
    assert release["revision"] == enforced["revision"]
    assert snapshot["schema"] == "gatehouse.snapshot/1"
    assert {"release_activated", "evidence_pack_requested"} <= {event["action"] for event in events}


def test_it_counts_what_happened_and_shows_it_harmlessly(log):
    with zipfile.ZipFile(pack_of(log)) as pack:
        figures = json.loads(pack.read("summary.json"))
        page, text = pack.read("summary.html").decode(), pack.read("summary.md").decode()
        completeness = json.loads(pack.read("completeness.json"))
    assert (figures["outcomes"], figures["reasons"]) == ({"allow": 2, "deny": 1}, {"access-denied": 1})
    assert completeness["holds"] is True
    for shown in (page, text):
        assert "<script" not in shown
        assert "access" in shown
    assert "&lt;script&gt;" in page


def test_a_part_of_the_time_has_its_own_entries_and_the_policy_that_still_held(log):
    file = pack_of(log, 120, 180)
    with zipfile.ZipFile(file) as pack:
        figures = json.loads(pack.read("summary.json"))
        assert [each["serial"] for each in json.loads(pack.read("activations.json"))] == [1]
    assert figures["end"] - figures["first"] >= 1
    assert sum(figures["outcomes"].values()) == 1
    judged = CliRunner().invoke(main, ["audit", "verify", str(file), "--key", log.key.vkey("default")])
    assert judged.exit_code == 0, judged.output


def test_a_time_without_entries_makes_an_empty_pack_that_verifies(log):
    file = pack_of(log, -7200, -3600)
    with zipfile.ZipFile(file) as pack:
        assert json.loads(pack.read("activations.json")) == []
        assert b"no entries" in pack.read("summary.html")
    judged = CliRunner().invoke(main, ["audit", "verify", str(file), "--key", log.key.vkey("default"), "--json"])
    assert json.loads(judged.stdout)["integrity"]["verdict"] == "holds", judged.output


def test_who_made_it_is_told(log):
    pack_of(log)
    events = log.under_test.call("GET", "/v1/admin-events?limit=500", "auditor").json["items"]
    actions = [event["action"] for event in events]
    assert [action for action in actions if "evidence" in action] == [
        "evidence_pack_requested",
        "evidence_pack_made",
        "evidence_pack_fetched",
    ]
