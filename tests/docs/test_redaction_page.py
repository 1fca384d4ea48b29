# SPDX-License-Identifier: Apache-2.0
"""The pages on redaction from the command line show what happens. They need no server, and so none is started."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.test_pages_run import agrees, shown_in

ROOT = Path(__file__).resolve().parents[2]
HOW_TO = ROOT / "docs" / "how-to"


@pytest.mark.parametrize("page", ["redact-from-the-command-line", "write-a-redaction-policy"])
def test_the_page_shows_what_happens(page, tmp_path):
    """What a page shows as a document is saved under its id before the commands are run."""
    path = HOW_TO / f"{page}.md"
    shown = shown_in(path)
    assert len(shown) > 3
    for document in re.findall(r"```yaml\n(.*?)```", path.read_text(), flags=re.DOTALL):
        name = re.search(r"^id: (.+)$", document, flags=re.MULTILINE)
        assert name
        (tmp_path / f"{name[1]}.yaml").write_text(document)
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
