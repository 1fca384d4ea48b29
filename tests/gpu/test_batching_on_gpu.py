# SPDX-License-Identifier: Apache-2.0
"""The batching engine on a real GPU, in bf16: what it says is what the CPU says in float32."""

import subprocess
import sys

import pytest

from tests.conftest import ROOT

pytestmark = [pytest.mark.gpu, pytest.mark.slow, pytest.mark.timeout(700)]


@pytest.fixture
def parrot(gpu, tmp_path):
    folder = tmp_path / "parrot"
    build = [sys.executable, "-m", "inference", "build-parrot", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True, timeout=110)
    return str(folder)


def test_many_answers_at_once_are_those_of_the_cpu(parrot, told_by):
    on_gpu, on_cpu = told_by("batching", parrot, on_gpu=True), told_by("batching", parrot, on_gpu=False)
    assert (on_gpu["device"][:4], on_cpu["device"]) == ("cuda", "cpu")
    assert on_cpu["greedy"] == on_cpu["wanted"]
    assert on_gpu["greedy"] == on_cpu["greedy"]
    assert on_gpu["left"] == [0, 0]


def test_a_seed_draws_the_same_again_whatever_else_is_in_the_batch(parrot, told_by):
    first, second = told_by("batching", parrot, on_gpu=True)["drawn"]
    assert first == second
