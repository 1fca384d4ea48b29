# SPDX-License-Identifier: Apache-2.0
"""The page on redaction from the command line shows what happens. It needs no server, and so none is started."""

import os
import subprocess
import sys
from pathlib import Path

from tests.docs.test_pages_run import agrees, shown_in

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "how-to" / "redact-from-the-command-line.md"


def test_the_page_shows_what_happens(tmp_path):
    shown = shown_in(PAGE)
    assert len(shown) > 3
    for step in shown:
        command = step.command.replace("/tmp/", f"{tmp_path}/")
        command = command.replace(".venv/bin/gatehouse", f"{sys.executable} -m controlplane.cli")
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=ROOT,
            env={"PATH": os.environ["PATH"], "XDG_CACHE_HOME": str(tmp_path)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60,
            check=False,
        )
        assert agrees(step.output, done.stdout), f"{step.command}\nshown:\n{step.output}\nprinted:\n{done.stdout}"
