# SPDX-License-Identifier: Apache-2.0
"""`gatehouse decisions export` waits, fetches and checks."""

import csv
import json

import pytest

from controlplane.cli import awaiting, export
from controlplane.cli.decisions import decisions
from controlplane.exports.columns import Content
from controlplane.exports.formats import FORMATS
from controlplane.job_thread import job_thread
from tests.records import make_record

DONE, REFUSED, WRONG_USAGE, NOTHING_ANSWERS = 0, 1, 2, 3


@pytest.fixture
def working(under_test):
    under_test.ingest(make_record(seq=1), make_record(seq=2, model="owl"), make_record(seq=3, model="=1+1"))
    with job_thread(under_test.plane):
        yield under_test


def test_the_command_knows_every_format():
    assert tuple(FORMATS) == export.FORMATS
    assert tuple(content.value for content in Content) == export.CONTENTS


def test_a_file_is_made_fetched_and_checked(gatehouse, working, tmp_path):
    file = tmp_path / "decisions.csv"
    result = gatehouse("decisions", "export", "--format", "csv", "-o", file)
    assert result.exit_code == DONE, result.stderr
    assert result.stdout.startswith(f"3 decisions, {file.stat().st_size} bytes, sha256:")
    assert [row["model"] for row in csv.DictReader(file.read_text().splitlines())] == ["parrot", "owl", "'=1+1"]
    assert {path.name for path in tmp_path.iterdir() if "decisions" in path.name} == {"decisions.csv"}


def test_filters_content_and_as_of_are_asked_for(gatehouse, working, tmp_path):
    file = tmp_path / "file"
    asked = ("--model", "owl", "--model", "parrot", "--include", "subject", "--as-of", "2", "--json")
    result = gatehouse("decisions", "export", "-o", file, *asked)
    assert result.exit_code == DONE, result.stderr
    shown = json.loads(result.stdout)
    assert (shown["state"], shown["file"], shown["progress"]["rows"]) == ("succeeded", str(file), 2)
    assert [json.loads(line)["subject"] for line in file.read_text().splitlines()] == ["user:alice"] * 2


def test_it_takes_every_filter_of_a_query(gatehouse, working, tmp_path):
    def filters_of(command):
        return {option for each in command.params for option in each.opts} - {"--limit", "--json"}

    assert filters_of(decisions.commands["query"]) <= filters_of(export.export)
    file = tmp_path / "file"
    asked = ("--status", "200", "--stream", "false", "--has-gap", "false", "--min-latency-ms", "0")
    result = gatehouse("decisions", "export", "-o", file, "--model", "owl", *asked)
    assert result.exit_code == DONE, result.stderr
    assert [json.loads(line)["envelope"]["resource"]["id"] for line in file.read_text().splitlines()] == ["owl"]
    assert gatehouse("decisions", "export", "-o", file, "--status", "403").stdout.startswith("0 decisions")


def test_what_does_not_have_its_digest_is_not_kept(gatehouse, working, tmp_path, monkeypatch):
    plain = awaiting.result_of

    def altered(*arguments):
        made = plain(*arguments)
        made["result"]["digest"] = "sha256:" + "0" * 64
        return made

    monkeypatch.setattr(export, "result_of", altered)
    result = gatehouse("decisions", "export", "-o", tmp_path / "file")
    assert (result.exit_code, "digest differs" in result.stderr) == (REFUSED, True)
    assert not [path for path in tmp_path.iterdir() if "file" in path.name]


def test_an_export_that_fails_says_why(gatehouse, working, tmp_path):
    object.__setattr__(working.plane.jobs.files, "max_bytes", 10)
    result = gatehouse("decisions", "export", "-o", tmp_path / "file")
    assert (result.exit_code, "exports-full" in result.stderr) == (REFUSED, True)


def test_ctrl_c_cancels_the_export(gatehouse, under_test, tmp_path, monkeypatch):
    def interrupt(_: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(awaiting.time, "sleep", interrupt)
    assert gatehouse("decisions", "export", "-o", tmp_path / "file").exit_code == REFUSED
    [operation] = under_test.call("GET", "/v1/operations", "auditor").json["items"]
    assert operation["state"] == "cancelled"


@pytest.mark.parametrize(
    ("arguments", "want"),
    [
        pytest.param([], WRONG_USAGE, id="no file"),
        pytest.param(["-o", "f", "--format", "xlsx"], WRONG_USAGE, id="unknown format"),
        pytest.param(["-o", "f", "--as-of", "99"], REFUSED, id="beyond the log"),
        pytest.param(["-o", "f", "--subject", "alice"], REFUSED, id="no subject"),
        pytest.param(["-o", "/nowhere/at/all"], REFUSED, id="no such folder"),
    ],
)
def test_wrong_questions(gatehouse, working, arguments, want):
    result = gatehouse("decisions", "export", *arguments)
    assert result.exit_code == want, result.output
