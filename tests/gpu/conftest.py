# SPDX-License-Identifier: Apache-2.0
"""What runs on the GPU runs in processes of its own: torch cannot be imported after regopy, which every test process loads."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from tests.conftest import ROOT

# Loading kernels for the first time takes most of it.
PROGRAM_S = 300


@pytest.fixture(scope="session")
def gpu() -> str:
    """The GPU's name; without one, the test that asks for it is skipped."""
    try:
        listed = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, timeout=30, check=True)
    except (OSError, subprocess.SubprocessError):
        pytest.skip("no GPU")
    if not listed.stdout.strip():
        pytest.skip("no GPU")
    return listed.stdout.splitlines()[0]


@pytest.fixture
def told_by() -> Callable[..., Any]:
    """Runs one of `tests.gpu.programs`, with the GPU or without it, and returns what it tells."""

    def run(program: str, *arguments: str, on_gpu: bool) -> Any:
        environment = os.environ | {"HF_HUB_OFFLINE": "1"}
        if not on_gpu:
            environment["CUDA_VISIBLE_DEVICES"] = ""
        done = subprocess.run(
            [sys.executable, "-m", f"tests.gpu.programs.{program}", *arguments],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            timeout=PROGRAM_S,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-4000:]
        return json.loads(done.stdout.splitlines()[-1])

    return run
