# SPDX-License-Identifier: Apache-2.0
"""The tour, whole, in a home of its own: every claim of the README in one run."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.conftest import ROOT
from tests.ports import unused_port


@pytest.mark.slow
@pytest.mark.opa
@pytest.mark.timeout(400)
def test_every_step_of_the_tour_does_what_it_should(tmp_path: Path, opa_binary: Path):
    environment = {
        **os.environ,
        "GATEHOUSE_HOME": str(tmp_path / "home"),
        "GATEHOUSE_API_PORT": str(unused_port()),
        "GATEHOUSE_PROXY_PORT": str(unused_port()),
        "GATEHOUSE_OPA_BINARY": str(opa_binary),
    }
    tour = subprocess.run(
        [sys.executable, "-m", "demo"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=380,
        check=False,
    )
    assert "every step did what it should" in tour.stdout, tour.stdout + tour.stderr
    assert tour.returncode == 0
