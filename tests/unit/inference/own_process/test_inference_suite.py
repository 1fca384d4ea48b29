# SPDX-License-Identifier: Apache-2.0
"""Runs the tests beside this folder in processes without regopy (the reason stands in conftest.py)."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

FOLDER = Path(__file__).parent.parent
SCREEN = FOLDER / "screen"
# Each takes about a minute where nothing else runs, and several where much does.
LIMIT_S = 600


@pytest.mark.slow
@pytest.mark.timeout(LIMIT_S + 20)
@pytest.mark.parametrize(
    "part",
    [
        pytest.param([FOLDER, f"--ignore={SCREEN}"], id="server"),
        pytest.param([SCREEN], id="screen"),
    ],
)
def test_the_inference_suite_passes_in_its_own_process(part, request):
    options = ["-o", "addopts=--strict-markers --strict-config -ra --import-mode=importlib"]
    suite = subprocess.run(
        [sys.executable, "-m", "pytest", *options, *_order(request.config), *part],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert suite.returncode == 0, suite.stdout[-6000:] + suite.stderr[-2000:]
    skipped = [line for line in suite.stdout.splitlines() if line.startswith("SKIPPED")]
    if skipped:
        pytest.skip("; ".join(skipped))


def _order(config: pytest.Config) -> list[str]:
    """The order of this run: a failure is found again with the same options."""
    if not config.pluginmanager.hasplugin("randomly"):
        return ["-p", "no:randomly"]
    return [f"--randomly-seed={config.getoption('randomly_seed')}"]
