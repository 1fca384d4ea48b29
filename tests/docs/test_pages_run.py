# SPDX-License-Identifier: Apache-2.0
"""What the pages show is what happens: every command of the README's tour and of the tutorials is run.

A `console` block holds commands (lines that begin with `$ `, continued by a backslash) and below each what it prints.
`…` stands for anything; white space does not count.
"""

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.integration.conftest import ROOT, RunningGatehouse, start, stop

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

# Commands that this fixture has done already, or that stand for another machine's.
NOT_RUN = ("git clone", "make run")


@dataclass(frozen=True)
class Shown:
    command: str
    output: str


def shown_in(page: Path) -> list[Shown]:
    shown: list[Shown] = []
    for block in re.findall(r"```console\n(.*?)```", page.read_text(), flags=re.DOTALL):
        for piece in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            lines = piece.split("\n")
            length = next(i for i, line in enumerate(lines) if not line.endswith("\\")) + 1
            shown.append(Shown("\n".join(lines[:length]), "\n".join(lines[length:])))
    return [s for s in shown if not s.command.startswith(NOT_RUN)]


def squeezed(text: str) -> str:
    return re.sub(r"\s+", "", text)


def agrees(shown: str, printed: str) -> bool:
    if not shown.strip():
        return not printed.strip()
    pattern = ".*".join(re.escape(piece) for piece in squeezed(shown).split("…"))
    return re.search(pattern, squeezed(printed), flags=re.DOTALL) is not None


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory):
    running = start(tmp_path_factory.mktemp("docs") / "home")
    yield running
    stop(running)


@pytest.mark.parametrize("page", ["README.md", "docs/tutorials/first-policy-change.md"])
def test_page_shows_what_happens(fresh: RunningGatehouse, page: str):
    held = fresh.credentials
    shown = shown_in(ROOT / page)
    assert len(shown) > 3
    # In this order: the home's own path may lie under /tmp.
    stands_for = {
        "/tmp/": f"{fresh.home.parent}/scratch/",
        "http://127.0.0.1:8000": held["proxy_url"],
        "http://127.0.0.1:8080": held["api_url"],
        ".gatehouse/": f"{fresh.home}/",
        ".venv/bin/gatehouse": "python -m controlplane.cli",
    }
    (fresh.home.parent / "scratch").mkdir(exist_ok=True)
    marker = "--- end of command {} ---"
    script = ["set -u"]
    for number, step in enumerate(shown):
        command = step.command
        for shown_as, here in stands_for.items():
            command = command.replace(shown_as, here)
        # A record takes a moment from the spool to the log, less than it takes a person to type.
        script += ["sleep 0.7", command, f"echo '{marker.format(number)}'"]
    done = subprocess.run(
        ["bash", "-c", "\n".join(script)],
        cwd=ROOT,
        env={**fresh.environment, "PATH": f"{ROOT / '.venv' / 'bin'}:{fresh.environment['PATH']}", "COLUMNS": "200"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=240,
        check=False,
    )
    rest = done.stdout
    for number, step in enumerate(shown):
        printed, _, rest = rest.partition(marker.format(number))
        wanted = step.output.replace("/tmp/", stands_for["/tmp/"])
        assert agrees(wanted, printed), f"{step.command}\nshown:\n{step.output}\nprinted:\n{printed}"
