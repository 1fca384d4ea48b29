# SPDX-License-Identifier: Apache-2.0
"""`gatehouse audit witness` as a process: it prints its key, cosigns, remembers over a kill, and stops when told to."""

import json
import re
import signal
import subprocess
import sys

import pytest
from click.testing import CliRunner

from controlplane.audit.note_keys import KeyKind, SignerKey, VerifierKey
from controlplane.cli.audit import audit
from controlplane.services.witnesses import Witness
from controlplane.witness_client import WitnessClient
from tests.unit.controlplane.audit.archives import LOG_KEY
from tests.unit.controlplane.audit.test_witness import asked


@pytest.fixture
def started(tmp_path):
    """Start a witness, and return its process and how to ask it."""
    processes = []

    def run():
        command = [sys.executable, "-m", "controlplane.cli", "audit", "witness", "--listen", "127.0.0.1:0"]
        command += ["--state", str(tmp_path / "state"), "--log", str(LOG_KEY.verifier), "--name", "witness.example/w1"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        processes.append(process)
        key, at = process.stdout.readline().split()[1], process.stdout.readline()
        return process, Witness(url=re.search(r"http://\S+", at)[0], key=VerifierKey.parse(key))

    yield run
    for process in processes:
        process.kill()
        process.wait()
        process.stdout.close()


def test_it_remembers_over_a_kill(started):
    with WitnessClient() as client:
        process, witness = started()
        assert client(witness, asked(0, 7)).lines
        process.kill()
        process.wait()
        process, again = started()
        assert again.key == witness.key
        assert (again.key.name, again.key.kind) == ("witness.example/w1", KeyKind.COSIGNATURE)
        assert client(again, asked(0, 9)).knows_size == 7
        assert client(again, asked(7, 9)).lines
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 0


def test_its_key_and_address_are_one_line_of_json(tmp_path):
    command = [sys.executable, "-m", "controlplane.cli", "audit", "witness", "--listen", "127.0.0.1:0", "--json"]
    command += ["--state", str(tmp_path / "state"), "--log", str(LOG_KEY.verifier)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        shown = json.loads(process.stdout.readline())
        process.send_signal(signal.SIGTERM)
        assert process.stdout.read() == ""
    assert VerifierKey.parse(shown.pop("key")).kind is KeyKind.COSIGNATURE
    assert re.fullmatch(r"http://127\.0\.0\.1:[0-9]+", shown.pop("url"))
    assert shown == {}


def run(*arguments):
    return CliRunner().invoke(audit, ["witness", *map(str, arguments)], catch_exceptions=False)


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["--log", "nonsense"], "a key is NAME+ID+BASE64"),
        (["--log", SignerKey.generate("w", KeyKind.COSIGNATURE).verifier], "it is a cosigner's key"),
        (["--log", LOG_KEY.verifier, "--listen", "8099"], "is not HOST:PORT"),
        (["--log", LOG_KEY.verifier, "--listen", "127.0.0.1:99999"], "is not HOST:PORT"),
        ([], "--log"),
    ],
)
def test_wrong_usage_exits_2(tmp_path, arguments, why):
    ran = run("--state", tmp_path, *arguments)
    assert (ran.exit_code, why in ran.stderr) == (2, True)


def test_a_state_that_cannot_be_used_exits_1(tmp_path):
    (tmp_path / "file").write_text("")
    ran = run("--log", LOG_KEY.verifier, "--state", tmp_path / "file" / "below")
    assert (ran.exit_code, "cannot be used" in ran.stderr) == (1, True)


def test_an_address_that_is_taken_exits_1(started, tmp_path):
    _, witness = started()
    ran = run("--log", LOG_KEY.verifier, "--state", tmp_path / "other", "--listen", witness.url.removeprefix("http://"))
    assert (ran.exit_code, "it cannot listen" in ran.stderr) == (1, True)
