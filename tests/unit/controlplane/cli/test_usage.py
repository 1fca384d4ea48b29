# SPDX-License-Identifier: Apache-2.0
"""Help, wrong usage, nothing that answers: the same for every subcommand."""

import json
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator

import click
import pytest
from click.testing import CliRunner

from controlplane.cli.main import main
from controlplane.local.control_socket import NotRunning

DONE, REFUSED, WRONG_USAGE, NOTHING_ANSWERS = 0, 1, 2, 3
# `run` starts everything; the others ask a server, or a supervisor, or nobody.
ASKS_A_SERVER = [
    ("policy", "list"),
    ("policy", "apply", "{documents}"),
    ("release",),
    ("release", "list"),
    ("release", "make"),
    ("release", "show", "rel_x"),
    ("release", "promote", "rel_x", "production"),
    ("release", "approve", "rel_x"),
    ("release", "reject", "rel_x"),
    ("release", "withdraw", "rel_x", "apr_x"),
    ("release", "approvals", "rel_x"),
    ("release", "gate", "rel_x", "--proxy", "http://127.0.0.1:9"),
    ("release", "verify", "rel_x"),
    ("environment", "rules"),
    ("activate", "rel_x"),
    ("activation", "list"),
    ("activation", "show", "act_x"),
    ("activation", "cancel", "act_x"),
    ("activation", "promote", "act_x"),
    ("rollback",),
    ("policy", "diff", "{documents}"),
    ("policy", "plan", "{documents}"),
    ("policy", "export", "folder"),
    ("policy", "remove", "x"),
    ("revoke", "key", "x"),
    ("revoke", "subject", "user:x"),
    ("revoke", "token", "--issuer", "x", "--jti", "x"),
    ("revoke", "status"),
    ("fleet",),
    ("fleet", "findings"),
    ("replay", "rel_x"),
    ("policy", "explain", "--subject", "user:x", "--operation", "x"),
    ("key", "create", "user:carol"),
    ("key", "list"),
    ("key", "rotate", "x"),
    ("key", "revoke", "x"),
    ("key", "block", "user:x"),
    ("key", "unblock", "user:x"),
    ("key", "blocked"),
    ("erase", "period", "2026-11-20"),
    ("erase", "subject", "user:x"),
    ("erase", "request", "req_x"),
    ("hold", "place", "--reason", "x", "--policy", "x"),
    ("hold", "list"),
    ("hold", "release", "x"),
    ("retention", "list"),
    ("retention", "set", "payloads", "30"),
    ("retention", "apply"),
    ("retention", "drops"),
    ("decisions", "query"),
    ("decisions", "tail"),
    ("decisions", "show", "req_x"),
    ("decisions", "aggregate"),
    ("decisions", "export", "-o", "decisions.ndjson"),
    ("evidence", "archive", "-o", "log.zip"),
    ("evidence", "pack", "--from", "2026-11-01T00:00:00Z", "--to", "2026-12-01T00:00:00Z", "-o", "pack.zip"),
    ("audit", "checkpoint"),
    ("audit", "prove", "0"),
]
ASKS_A_SUPERVISOR = [("part", "list"), ("part", "stop", "opa"), ("part", "start", "opa")]


def commands(group: click.Group, *above: str) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        yield (*above, name), command
        if isinstance(command, click.Group):
            yield from commands(command, *above, name)


EVERY = list(commands(main))


@pytest.mark.parametrize("path", [path for path, _ in EVERY], ids=" ".join)
def test_help_says_what_it_does(path):
    result = CliRunner().invoke(main, [*path, "--help"])
    assert result.exit_code == DONE
    # Not the first line for certain: what another test's threads log goes wherever standard output is.
    assert any(line.startswith("Usage: ") for line in result.stdout.splitlines())
    assert len(result.stdout.splitlines()[2].strip()) > 10


@pytest.mark.parametrize(("path", "command"), EVERY, ids=[" ".join(path) for path, _ in EVERY])
def test_an_unknown_option_is_wrong_usage(path, command):
    result = CliRunner().invoke(main, [*path, "--no-such-option"])
    assert result.exit_code == WRONG_USAGE
    assert "--no-such-option" in result.stderr


def test_every_command_but_run_and_the_filter_prints_json_on_request():
    without = {
        " ".join(path)
        for path, command in EVERY
        if not isinstance(command, click.Group) and not any("--json" in each.opts for each in command.params)
    }
    # A schema is JSON; calibration gives part of a policy, in a policy's language.
    assert without == {"run", "redact", "policy schema", "screen calibrate"}


def test_the_table_of_this_file_is_complete():
    local = {("run",), ("redact",), ("policy", "validate"), ("policy", "test"), ("conformance",), ("policy", "schema")}
    local |= {("conformance-upstream",), ("audit", "fsck"), ("audit", "verify"), ("audit", "witness")}
    local |= {("screen", "calibrate")}
    local |= {("policy", "lint"), ("policy", "compile"), ("policy", "import", "casbin"), ("policy", "import", "rego")}
    leaves = {
        path for path, command in EVERY if not isinstance(command, click.Group) or path in (("release",), ("fleet",))
    }
    asked = (*ASKS_A_SERVER, *ASKS_A_SUPERVISOR)
    tried = {max((leaf for leaf in leaves if leaf == path[: len(leaf)]), key=len) for path in asked}
    assert tried | local == leaves


@pytest.mark.parametrize("arguments", [*ASKS_A_SERVER, *ASKS_A_SUPERVISOR], ids=" ".join)
def test_where_nothing_runs_the_exit_code_says_so(arguments, tmp_path, documents, monkeypatch):
    for name in ("GATEHOUSE_API_URL", "GATEHOUSE_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    here = {"GATEHOUSE_HOME": str(tmp_path / "nothing")}
    result = CliRunner().invoke(main, [word.format(documents=documents) for word in arguments], env=here)
    assert (result.exit_code, result.stdout) == (NOTHING_ANSWERS, "")
    assert "gatehouse run" in result.stderr


@pytest.mark.parametrize("arguments", ASKS_A_SERVER, ids=" ".join)
def test_where_nobody_listens_the_exit_code_says_so(arguments, documents, free_port):
    there = {"GATEHOUSE_API_URL": f"http://127.0.0.1:{free_port}", "GATEHOUSE_TOKEN": "t" * 40}
    result = CliRunner().invoke(main, [word.format(documents=documents) for word in arguments], env=there)
    assert (result.exit_code, result.stdout) == (NOTHING_ANSWERS, "")
    assert there["GATEHOUSE_API_URL"] in result.stderr
    assert there["GATEHOUSE_TOKEN"] not in result.stderr


@pytest.mark.parametrize("variable", ["GATEHOUSE_API_URL", "GATEHOUSE_TOKEN"])
@pytest.mark.parametrize("value", ["http://[", "a b", "ünïcode\n", "http://x/path", "http://user@x"])
def test_a_variable_that_makes_no_sense_is_wrong_usage(variable, value):
    there = {"GATEHOUSE_API_URL": "http://127.0.0.1:1", "GATEHOUSE_TOKEN": "t" * 40, variable: value}
    if variable == "GATEHOUSE_TOKEN" and value.isascii() and " " not in value:
        return  # a token may look like that; only a server can tell
    result = CliRunner().invoke(main, ["policy", "list"], env=there)
    assert result.exit_code == WRONG_USAGE
    assert variable in result.stderr


def test_credentials_that_cannot_be_read_are_named(tmp_path, monkeypatch):
    monkeypatch.delenv("GATEHOUSE_TOKEN", raising=False)
    (tmp_path / "credentials.json").write_text("{")
    result = CliRunner().invoke(main, ["policy", "list"], env={"GATEHOUSE_HOME": str(tmp_path)})
    assert result.exit_code == REFUSED
    assert "credentials.json cannot be read" in result.stderr


def test_a_server_of_another_kind_is_not_taken_for_a_control_plane(free_port):
    listening = socket.create_server(("127.0.0.1", free_port))

    def answer() -> None:
        connection, _ = listening.accept()
        with connection:
            connection.recv(65536)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")

    thread = threading.Thread(target=answer)
    thread.start()
    there = {"GATEHOUSE_API_URL": f"http://127.0.0.1:{free_port}", "GATEHOUSE_TOKEN": "t" * 40}
    result = CliRunner().invoke(main, ["policy", "list"], env=there)
    thread.join()
    listening.close()
    assert result.exit_code == NOTHING_ANSWERS
    assert "not a control plane" in result.stderr


def test_parts_are_listed_as_the_supervisor_wrote_them(tmp_path):
    part = {"name": "opa", "state": "running", "pid": 7, "restarts": 0, "address": "unix:/x"}
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "processes.json").write_text(json.dumps({"supervisor": {"pid": 1}, "parts": [part]}))
    here = {"GATEHOUSE_HOME": str(tmp_path)}
    assert CliRunner().invoke(main, ["part", "list"], env=here).stdout.splitlines()[1].split() == [
        "opa",
        "running",
        "7",
        "0",
        "unix:/x",
    ]
    listed = CliRunner().invoke(main, ["part", "list", "--json"], env=here)
    assert json.loads(listed.stdout)["parts"] == [part]


def test_a_list_that_a_killed_supervisor_left_is_not_believed(tmp_path):
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "processes.json").write_text(json.dumps({"supervisor": {"pid": ended.pid}, "parts": []}))
    result = CliRunner().invoke(main, ["part", "list"], env={"GATEHOUSE_HOME": str(tmp_path)})
    assert (result.exit_code, result.stdout) == (NOTHING_ANSWERS, "")


@pytest.mark.parametrize(("verb", "state"), [("stop", "stopped"), ("start", "running")])
def test_parts_are_stopped_and_started(verb, state, monkeypatch, tmp_path):
    asked = []
    monkeypatch.setattr("controlplane.cli.part.ask", lambda _home, *words: asked.append(words))
    here = {"GATEHOUSE_HOME": str(tmp_path)}
    result = CliRunner().invoke(main, ["part", verb, "opa", "--json"], env=here)
    assert json.loads(result.stdout) == {"name": "opa", "state": state}
    assert CliRunner().invoke(main, ["part", verb, "opa"], env=here).stdout.startswith("opa ")
    assert asked == [(verb, "opa"), (verb, "opa")]


def test_a_supervisor_that_is_gone_is_said(monkeypatch, tmp_path):
    def gone(*_):
        raise NotRunning("nothing runs here")

    monkeypatch.setattr("controlplane.cli.part.ask", gone)
    result = CliRunner().invoke(main, ["part", "stop", "opa"], env={"GATEHOUSE_HOME": str(tmp_path)})
    assert result.exit_code == NOTHING_ANSWERS
