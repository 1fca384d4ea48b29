# SPDX-License-Identifier: Apache-2.0
"""Runs the tests beside this folder in a process without regopy (the reason stands in conftest.py)."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_the_inference_suite_passes_in_its_own_process():
    options = ["-o", "addopts=--strict-markers --strict-config -ra --import-mode=importlib"]
    suite = subprocess.run(
        [sys.executable, "-m", "pytest", *options, str(Path(__file__).parent.parent)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=380,
        check=False,
    )
    assert suite.returncode == 0, suite.stdout[-6000:] + suite.stderr[-2000:]
    skipped = [line for line in suite.stdout.splitlines() if line.startswith("SKIPPED")]
    if skipped:
        pytest.skip("; ".join(skipped))
