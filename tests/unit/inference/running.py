# SPDX-License-Identifier: Apache-2.0
"""The real process, started with options and waited for until it listens."""

import contextlib
import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.conftest import ROOT


class Running:
    """A server that listens. `listening` is what it said of that."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path, listening: dict) -> None:
        self.process = process
        self.log = log
        self.listening = listening

    def events(self) -> list[dict]:
        return logged(self.log)


def logged(log: Path) -> list[dict]:
    return [json.loads(line) for line in log.read_text().splitlines() if line.endswith("}")]


@contextlib.contextmanager
def running(options: Sequence[str | Path], log: Path) -> Iterator[Running]:
    """`gatehouse-inference serve` with the options. At the end it must stop when told to, with success."""
    with log.open("w") as stderr:
        process = subprocess.Popen([sys.executable, "-m", "inference", "serve", *options], cwd=ROOT, stderr=stderr)
    try:
        deadline = time.monotonic() + 60
        while not (listening := [event for event in logged(log) if event["event"] == "server_listening"]):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.05)
        yield Running(process, log, listening[0])
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0, log.read_text()
    finally:
        process.kill()
        process.wait()


def refused(options: Sequence[str | Path]) -> str:
    """What the command says when it does not start."""
    done = subprocess.run(
        [sys.executable, "-m", "inference", "serve", *options],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    return done.stderr
