# SPDX-License-Identifier: Apache-2.0
"""`gatehouse audit verify` from outside: exit codes, what is printed, and that nothing printed could act on a terminal."""

import json

import pytest
from click.testing import CliRunner

from controlplane.audit.note_keys import SignerKey
from controlplane.cli.audit import audit
from tests.unit.controlplane.audit.archives import LOG_KEY, ORDERLY, Log, gap, request, start, written_to

LOG = Log(ORDERLY)


def run(*arguments):
    return CliRunner().invoke(audit, ["verify", *map(str, arguments)], catch_exceptions=False)


@pytest.fixture
def archive(tmp_path):
    def make(log=LOG, files=None):
        return written_to(tmp_path / "archive.zip", files or log.files())

    return make


def test_what_holds_exits_0(archive):
    ran = run(archive(), "--key", LOG_KEY.verifier)
    assert ran.exit_code == 0
    assert "Integrity: holds" in ran.stdout
    assert "30 entries lead to the root that the log signed at 2026-11-20T18:00:00Z" in ran.stdout
    assert "Completeness: holds" in ran.stdout
    assert "nobody vouches" not in ran.stdout


def test_without_a_key_it_says_that_nobody_vouches(archive):
    ran = run(archive())
    assert (ran.exit_code, "nobody vouches" in ran.stdout) == (0, True)


def test_keys_may_stand_in_a_file(archive, tmp_path):
    (tmp_path / "keys").write_text(f"{LOG_KEY.verifier}\n")
    assert run(archive(), "--key", tmp_path / "keys").exit_code == 0


def test_another_key_exits_1(archive):
    ran = run(archive(), "--key", SignerKey.generate(LOG_KEY.name).verifier)
    assert (ran.exit_code, "Integrity: violated" in ran.stdout, "Completeness: holds" in ran.stdout) == (1, True, True)


def test_what_is_incomplete_exits_1_and_names_the_boot(archive):
    ran = run(archive(Log([start(), request(4)])))
    assert (ran.exit_code, "Integrity: holds" in ran.stdout) == (1, True)
    assert "no entry explains why 2-3 are missing" in ran.stdout


def test_what_is_known_to_be_lost_exits_0_and_is_told(archive):
    ran = run(archive(Log([start(), gap(2, 3), request(4)])), "--json")
    told = json.loads(ran.stdout)
    assert (ran.exit_code, told["completeness"]["lost_count"]) == (0, 2)
    assert told["completeness"]["boots"][0]["verdict"] == "lost"


def test_a_checkpoint_of_a_longer_log_exits_1(archive, tmp_path):
    (tmp_path / "kept").write_bytes(LOG.note(30).to_bytes())
    ran = run(archive(files=LOG.files(0, 20, 20)), "--checkpoint", tmp_path / "kept")
    assert (ran.exit_code, "ends at a log of 20 entries" in ran.stdout) == (1, True)


@pytest.mark.parametrize("as_json", [(), ("--json",)])
def test_what_is_no_archive_exits_2(tmp_path, as_json):
    (tmp_path / "no").write_bytes(b"no archive")
    ran = run(tmp_path / "no", *as_json)
    assert (ran.exit_code, "cannot be judged" in ran.stderr) == (2, True)
    assert ("error" in json.loads(ran.stdout)) if as_json else ran.stdout == ""


@pytest.mark.parametrize("wrong", [("--key", "a+b"), ("--key", "/nowhere"), ("--key", "/dev/zero"), ("--checkpoint", "/nowhere"), ("--nothing",)])  # fmt: skip
def test_wrong_usage_exits_2(archive, wrong):
    assert run(archive(), *wrong).exit_code == 2


def test_nothing_in_an_archive_reaches_the_terminal_as_it_is(archive):
    evil = "\x1b[2J\x07\u202e"
    log = Log([start(source=f"s{evil}"), request(9, source=f"s{evil}")], key=SignerKey.generate("audit.example/a"))
    files = log.files()
    manifest = json.loads(files["manifest.json"])
    manifest["origin"] += evil
    manifest["files"][f"a{evil}"] = "sha256:00"
    path = archive(files={**files, "manifest.json": json.dumps(manifest).encode()})
    for arguments in ((path,), (path, "--json")):
        ran = run(*arguments)
        assert (ran.exit_code, set(ran.output) & {"\x1b", "\x07", "\u202e"}) == (1, set())
