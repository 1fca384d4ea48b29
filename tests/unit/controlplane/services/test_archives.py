# SPDX-License-Identifier: Apache-2.0
"""An archive has every entry of its range, and verifies with nothing but the log's key."""

import json
import zipfile
from types import SimpleNamespace

import pytest
from click.testing import CliRunner
from structlog.testing import capture_logs

from controlplane.audit.checkpoints import open_checkpoint
from controlplane.audit.hashes import leaf_hash
from controlplane.audit.proofs import RangeProof
from controlplane.audit.strict_text import from_base64
from controlplane.audit.verification import verify_consistency, verify_range
from controlplane.cli.main import main
from controlplane.services import archives
from controlplane.services.archives import index_at
from controlplane.services.keeping import DropState, RetentionClass
from controlplane.services.model import Principal, Role
from tests.control_planes import TOKENS
from tests.records import make_record
from tests.signed_planes import signed_plane

# Entries of how the control plane was set up: one for each role's token.
SET_UP = len(TOKENS)


@pytest.fixture
def log(tmp_path):
    signed = signed_plane(tmp_path)
    signed.sign()
    return signed


def ingest(log, first, count):
    log.under_test.ingest(*(make_record(seq=number) for number in range(first, first + count)))
    log.sign()


def archived(log, **body):
    return zipfile.ZipFile(log.fetched("/v1/exports", {"format": "archive", **body}))


def entries_of(archive):
    names = [name for name in archive.namelist() if name.startswith("entries-")]
    return [json.loads(line) for name in names for line in archive.read(name).splitlines()]


def verify(log, archive):
    """Verify as `docs/spec/log.md` says, with the log's key and nothing of the archive's own word."""
    signed = open_checkpoint(archive.read("checkpoint"), [log.verifier]).checkpoint
    told = json.loads(archive.read("range-proof.json"))
    proof = RangeProof(
        **{name: tuple(map(from_base64, told[name])) if name in ("left", "right") else told[name] for name in told}
    )
    entries = entries_of(archive)
    leaves = [
        from_base64(entry["leaf_hash"]) if "dropped" in entry else leaf_hash(entry["envelope"].encode())
        for entry in entries
    ]
    assert [entry["index"] for entry in entries] == list(range(proof.first, proof.end))
    assert proof.size == signed.size
    verify_range(leaves, proof, root=signed.root)
    earlier = [json.loads(archive.read(name)) for name in archive.namelist() if name.startswith("earlier/")]
    for each in earlier:
        before = open_checkpoint(each["checkpoint"].encode(), [log.verifier]).checkpoint
        verify_consistency(
            list(map(from_base64, each["proof"])),
            first=before.size,
            second=signed.size,
            first_root=before.root,
            second_root=signed.root,
        )
    return entries, earlier


def test_the_whole_log_is_archived_up_to_its_last_checkpoint(log):
    ingest(log, 1, 3)
    ingest(log, 4, 300)
    archive = archived(log)
    entries, earlier = verify(log, archive)
    kinds = [json.loads(entry["envelope"])["kind"] for entry in entries]
    assert kinds.count("terminal") == 303
    assert len(earlier) >= 1
    assert archive.read("keys/0.vkey").decode().strip() == log.key.vkey("default")
    assert not any("payload" in entry for entry in entries)


def judged(log, file):
    """Return what `gatehouse audit verify` says of it, and with which exit code."""
    result = CliRunner().invoke(main, ["audit", "verify", str(file), "--key", log.key.vkey("default"), "--json"])
    return result.exit_code, json.loads(result.stdout)


def test_the_command_verifies_it_and_finds_what_was_altered(log, tmp_path):
    ingest(log, 1, 5)
    file = log.fetched("/v1/exports", {"format": "archive"})
    code, report = judged(log, file)
    assert (code, report["integrity"]["verdict"], report["completeness"]["verdict"]) == (0, "holds", "holds"), report
    altered = tmp_path / "altered.zip"
    with zipfile.ZipFile(file) as whole, zipfile.ZipFile(altered, "w") as changed:
        for name in whole.namelist():
            changed.writestr(name, whole.read(name).replace(b"parrot", b"carrot"))
    assert judged(log, altered)[0] == 1


@pytest.mark.parametrize(
    ("wanted", "want"),
    [
        pytest.param({"first": 2, "end": 5}, range(2 - SET_UP, 5 - SET_UP), id="a part"),
        pytest.param({"first": 2, "end": 2}, range(0), id="nothing"),
        pytest.param({"end": 4}, range(-SET_UP, 4 - SET_UP), id="the beginning"),
        # What setting the control plane up came to stands before the records.
        pytest.param({"from": "2026-11-20T12:01:00Z", "to": "2026-11-20T12:02:00Z"}, range(4, 8), id="a minute"),
        pytest.param({"to": "2026-11-20T12:01:00Z"}, range(-SET_UP, 4), id="before a time"),
        pytest.param(
            {"from": "2026-11-19T00:00:00Z", "to": "2026-11-20T12:00:00.5Z"},
            range(-SET_UP, 4),
            id="from before the log",
        ),
    ],
)
def test_a_range_of_indexes_or_times(log, wanted, want):
    for minute in range(3):
        ingest(log, 1 + minute * 4, 4)
        log.under_test.clock.turn(60)
    entries, _ = verify(log, archived(log, range=wanted))
    assert [entry["index"] - SET_UP for entry in entries] == list(want)


def test_payloads_go_along_only_where_they_were_asked_for(log):
    ingest(log, 1, 1)
    entries, _ = verify(log, archived(log, include=["subject", "input"], range={"first": SET_UP, "end": SET_UP + 1}))
    assert json.loads(entries[0]["payload"])["subject"] == {"type": "user", "id": "alice"}


def test_an_archive_verifies_after_an_erasure(log):
    ingest(log, 1, 3)
    before, _ = verify(log, archived(log, include=["subject", "input"], range={"first": SET_UP, "end": SET_UP + 3}))
    asked = {"subject": "user:alice"}
    answer = log.under_test.call("POST", "/v1/erasures", "admin", json=asked)
    assert answer.status_code in {200, 201, 202}, answer.text
    log.under_test.plane.erasures.go_on()
    log.sign()
    entries, _ = verify(log, archived(log, include=["subject", "input"], range={"first": SET_UP, "end": SET_UP + 3}))
    assert ["payload" in entry for entry in entries] == [False] * 3
    assert ["payload" in entry for entry in before] == [True] * 3


def test_without_a_checkpoint_it_says_what_is_missing(log, monkeypatch):
    monkeypatch.setattr(archives, "_CHECKPOINT_WITHIN_S", 0.3)
    under_test = log.under_test
    under_test.ingest(make_record())
    asked = under_test.call("POST", "/v1/exports", "auditor", json={"format": "archive"}).json
    with capture_logs():
        under_test.work()
    ended = under_test.call("GET", f"/v1/operations/{asked['id']}", "auditor").json
    assert (ended["state"], ended["error"]["code"]) == ("failed", "nothing-signed")
    assert "GATEHOUSE_LOG_KEY_FILE" in ended["error"]["detail"]


def test_earlier_checkpoints_are_spread_over_the_log(log, monkeypatch):
    monkeypatch.setattr(archives, "_MOST_EARLIER", 4)
    for number in range(12):
        ingest(log, number + 1, 1)
    _, earlier = verify(log, archived(log))
    assert 2 <= len(earlier) <= 6


def test_who_took_the_log_home_is_told(log):
    ingest(log, 1, 2)
    archived(log, range={"end": 2})
    events = log.under_test.call("GET", "/v1/admin-events", "auditor").json["items"]
    made = next(event for event in events if event["action"] == "export_made")
    assert (made["detail"]["format"], made["detail"]["count"], made["detail"]["payloads"]) == ("archive", 2, False)


def test_a_time_is_found_among_entries(log):
    for minute in range(4):
        ingest(log, 1 + minute, 1)
        log.under_test.clock.turn(60)
    start = log.under_test.clock.now.replace(minute=0)
    with log.under_test.store.read() as session:
        found = [index_at(session.log, "default", start.replace(minute=minute), begins=True) for minute in range(6)]
        assert [index - SET_UP for index in found] == [-SET_UP, 1, 2, 3, 4, 4]
        assert index_at(session.log, "default", start.replace(day=19), begins=True) == 0
        assert index_at(session.log, "default", start.replace(day=21), begins=False) == SET_UP + 4


def test_an_archive_verifies_after_retention_dropped_a_day(log):
    under_test = log.under_test
    ingest(log, 1, 3)
    under_test.clock.turn(10 * 86_400)
    ingest(log, 4, 2)
    admin = Principal(tenant="default", id="admin", name="admin", role=Role.ADMIN, created_at=under_test.clock.now)
    under_test.plane.retention.set_policy(admin, RetentionClass.RECORDS, days=2)
    due = under_test.plane.retention.announce(admin)
    log.sign()
    assert [under_test.plane.retention.carry_out(drop).state for drop in due] == [DropState.DONE]
    log.sign()
    archive = log.fetched("/v1/exports", {"format": "archive"})
    entries, _ = verify(log, zipfile.ZipFile(archive))
    dropped = [entry["index"] for entry in entries if "dropped" in entry]
    assert dropped == list(range(SET_UP + 3))
    code, report = judged(log, archive)
    assert (code, report["integrity"]["verdict"], report["completeness"]["verdict"]) == (0, "holds", "holds"), report


class PatientJob:
    """As much of a job as waiting for a checkpoint needs; `on_wait` happens while it waits."""

    def __init__(self, on_wait):
        self.operation = SimpleNamespace(tenant="default")
        self.closing = SimpleNamespace(wait=lambda _: self._wait())
        self.waits = 0
        self._on_wait = on_wait

    def advance(self, **_):
        pass

    def _wait(self):
        self.waits += 1
        self._on_wait(self.waits)


def with_witness(log):
    return archives.Archives(
        store=log.under_test.store, clock=log.under_test.clock, keys=lambda _: (log.verifier, log.verifier)
    )


def cosign(log, size):
    with log.under_test.store.write() as session:
        session.checkpoints.cosign("default", size=size, lines="— witness AAAA\n")


def test_a_cosigned_checkpoint_is_waited_for_and_preferred(log):
    ingest(log, 1, 2)
    covered = SET_UP + 2

    def answer(waits):
        if waits == 2:
            cosign(log, covered)
            ingest(log, 3, 1)

    job = PatientJob(answer)
    signed = with_witness(log).checkpoint(job, covered, newest=True)
    assert (signed.size, job.waits) == (covered, 2)
    assert signed.text.endswith("— witness AAAA\n")


def test_a_witness_that_is_down_holds_up_no_archive(log):
    ingest(log, 1, 2)
    job = PatientJob(lambda _: None)
    assert with_witness(log).checkpoint(job, SET_UP + 2).cosignatures == ""
    assert job.waits == archives._COSIGNED_WITHIN_S / archives._LOOK_EVERY_S
